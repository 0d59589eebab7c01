/**
 * What one caller has here in bytes, waiting or still arriving, is bounded by `callerBytesMax`: in every form that requests
 * come in, without a bound on anybody else, and with nothing left of it once a request is over, however it ended.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forms } from './callers.ts';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection, requestBytes, type RequestParts } from './http-connection.ts';
import { StreamClient } from './stream-client.ts';
import { tensorOf } from './tensor.ts';
import { fieldsOf } from './wire-forms.ts';

type Headers = Readonly<Record<string, string>>;

const kib = 1024;
const callerBytesMax = 64 * kib;
/** For everything that is waited for: only what never comes takes so long. */
const longMs = 60_000;

const ask = { method: 'POST', path: '/predict/iris', body: '{"features":[[5.1,3.5,1.4,0.2]]}' };
/** Larger than all that one caller may have here, which the only request of a caller may be. */
const largeBody = ask.body.padEnd(2 * callerBytesMax, ' ');
const gzip = { 'content-encoding': 'gzip' };
const callerLimit = { code: 'CALLER_LIMIT', message: expect.stringContaining('callerBytesMax') as string };

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
    limits: { callerBytesMax, inlineJsonBytesMax: kib, inflatedBytesMax: 4 * callerBytesMax },
    callerSources: [{ kind: 'header', name: 'x-tenant' }],
  });
});
afterAll(() => under.close());

/** A body of which `bytes` are sent and not the rest. */
async function unfinished(bytes: Uint8Array, headers: Headers = {}): Promise<HttpConnection> {
  const connection = await HttpConnection.open(under.port);
  const length = String(3 * callerBytesMax);
  const head = requestBytes({ ...ask, headers: { 'content-length': length, ...headers }, body: '' });
  connection.write(Buffer.concat([head, bytes]));
  return connection;
}

async function answerTo(parts: RequestParts): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    return await within(connection.exchange(parts), 'an answer', longMs);
  } finally {
    connection.destroy();
  }
}

/** To a text frame of a WebSocket of its own. */
async function frameAnswer(headers: Headers = {}): Promise<object> {
  const client = await StreamClient.open(under.port, headers);
  const told = new Promise<string>((resolve) => {
    client.onMessage(({ payload }) => {
      resolve(String(payload));
    });
  });
  const input = { name: 'features', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] };
  client.sendText(JSON.stringify({ id: 1, model: 'iris', inputs: [input] }));
  try {
    return fieldsOf(JSON.parse(await within(told, 'an answer', longMs)));
  } finally {
    client.destroy();
  }
}

async function arriving(bytes: number): Promise<void> {
  const held = async (): Promise<boolean> =>
    (await under.metrics()).sum('tidegate_memory_bytes', { kind: 'receiving' }) === bytes;
  await eventually(held, `${bytes} bytes to be arriving`, longMs);
}

/** As long as anything of an earlier request counts, the large one is refused, which may cost its connection. */
async function hasNothingHere(headers: Headers = {}): Promise<void> {
  const isTaken = async (): Promise<boolean> => {
    const answer = await answerTo({ ...ask, headers, body: largeBody }).catch(() => undefined);
    return answer?.status === 200;
  };
  await eventually(isTaken, 'a large request to be taken', longMs);
}

test('what arrives leaves no room for requests in any form, and others are not bound by it', async () => {
  // Without the header the address is the caller.
  const body = await unfinished(Buffer.alloc(callerBytesMax, ' '));
  await arriving(callerBytesMax);
  const inputs = [tensorOf({ name: 'features', datatype: 'FP32', shape: [1, 4] }, [5.1, 3.5, 1.4, 0.2])];
  for (const form of forms) {
    expect(await under.caller(form).call({ model: 'iris', inputs }), form).toMatchObject(callerLimit);
  }
  expect(await frameAnswer()).toMatchObject({ code: 'CALLER_LIMIT' });
  // Read on a thread of its own.
  const late = await answerTo({ ...ask, body: ask.body.padEnd(2 * kib, ' ') });
  expect([late.status, late.headers.get('retry-after')]).toEqual([429, '1']);
  expect(await answerTo({ ...ask, headers: { 'x-tenant': 'calm' } })).toMatchObject({ status: 200 });
  expect(await frameAnswer({ 'x-tenant': 'calm' })).not.toHaveProperty('code');
  body.destroy();
  await hasNothingHere();
});

test('bodies that arrive share the bound of their caller, and one beyond it is refused while it comes', async () => {
  const [hot, calm] = [{ 'x-tenant': 'hot' }, { 'x-tenant': 'calm' }];
  const piece = Buffer.alloc(40 * kib, ' ');
  const [first, others] = [await unfinished(piece, hot), await unfinished(piece, calm)];
  await arriving(80 * kib);
  // Without its end, so that it goes on arriving.
  const inflating = gzipSync(Buffer.alloc(callerBytesMax)).subarray(0, -1);
  for (const [bytes, headers] of [
    [piece, hot],
    [inflating, { ...hot, ...gzip }],
  ] as const) {
    const second = await unfinished(bytes, headers);
    const refused = await within(second.next(), 'an answer', longMs);
    expect([refused?.status, refused?.headers.get('retry-after')]).toEqual([429, '1']);
    const { code, message: error } = callerLimit;
    expect(JSON.parse(String(refused?.body))).toMatchObject({ code, error });
    await within(second.closed, 'the connection to end', longMs);
  }
  await arriving(80 * kib);
  first.destroy();
  await hasNothingHere(hot);
  others.destroy();
  await arriving(0);
});

test.each([
  ['is answered', largeBody, {}, 200],
  ['is no JSON', '['.padEnd(2 * callerBytesMax), {}, 400],
  ['is for a model that is not here', largeBody, {}, 404],
  ['inflates to what is answered', gzipSync(largeBody), gzip, 200],
  ['is not what its encoding says', largeBody, gzip, 400],
  ['inflates to more than it may', gzipSync(Buffer.alloc(5 * callerBytesMax)), gzip, 413],
])('nothing is left of a body that %s', async (what, body, encoding, status) => {
  const headers = { 'x-tenant': what, ...encoding };
  const path = status === 404 ? '/predict/nobody' : ask.path;
  expect((await answerTo({ ...ask, path, headers, body })).status).toBe(status);
  await hasNothingHere({ 'x-tenant': what });
});

test('nothing is left of a body whose client is gone', async () => {
  const headers = { 'x-tenant': 'gone' };
  const body = await unfinished(Buffer.alloc(callerBytesMax, ' '), headers);
  await arriving(callerBytesMax);
  body.destroy();
  await hasNothingHere(headers);
  await arriving(0);
});
