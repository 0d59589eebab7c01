/**
 * Bodies that never end take no more memory together than `receivingBytesMax`: one that comes when there is no room is
 * refused, as sent or as inflated, and those that come in one piece are answered all the while.
 */
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';

const kib = 1024;
const ask = { method: 'POST', path: '/predict/iris', body: '{"features":[[5.1,3.5,1.4,0.2]]}' };

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
    limits: { receivingBytesMax: 256 * kib },
  });
});
afterAll(() => under.close());

async function heldBytes(): Promise<number> {
  return (await under.metrics()).sum('tidegate_memory_bytes', { kind: 'receiving' });
}

/** A body of which `bytes` are sent, and not the rest. */
async function unfinished(
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpConnection> {
  const connection = await HttpConnection.open(under.port);
  const whole = requestBytes({
    ...ask,
    headers: { 'content-length': String(kib * kib), ...headers },
    body: '',
  });
  connection.write(Buffer.concat([whole, bytes]));
  return connection;
}

test.each([
  ['as sent', Buffer.alloc(150 * kib, ' '), {}],
  // A part of it, so that it does not come to its end.
  ['as inflated', gzipSync(Buffer.alloc(4096 * kib)).subarray(0, 2 * kib), { 'content-encoding': 'gzip' }],
  [
    'as sent, compressed',
    gzipSync(randomBytes(150 * kib)).subarray(0, 140 * kib),
    { 'content-encoding': 'gzip' },
  ],
])('a body that finds no room is refused, counted %s', async (_, bytes, headers) => {
  const first = await unfinished(Buffer.alloc(150 * kib, ' '));
  await eventually(async () => (await heldBytes()) === 150 * kib, 'the first body');
  const second = await unfinished(bytes, headers);
  const refused = await within(second.next(), 'an answer');
  expect(refused?.status).toBe(503);
  expect(refused?.headers.get('retry-after')).toBe('1');
  expect(JSON.parse(String(refused?.body))).toMatchObject({ code: 'QUEUE_FULL' });
  await within(second.closed, 'the connection to end');
  const other = await HttpConnection.open(under.port);
  expect((await other.exchange(ask)).status).toBe(200);
  other.destroy();
  first.destroy();
  await eventually(async () => (await heldBytes()) === 0, 'all of it to be given back');
});

test('the only body may be larger, and is given back once it is read', async () => {
  const connection = await HttpConnection.open(under.port);
  const body = ask.body.padEnd(400 * kib, ' ');
  expect((await within(connection.exchange({ ...ask, body }), 'an answer')).status).toBe(200);
  expect(await heldBytes()).toBe(0);
  connection.destroy();
});
