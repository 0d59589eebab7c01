/**
 * Counts the copies of a tensor's bytes on the common way and holds them against the table in runtime/README.md.
 *
 * The model runs on the event loop here, where the same code works as in the threads (runtime/worker/session-host.ts), so
 * that all copies happen in this process. What can and what cannot be seen is said in copy-watch.ts; the hand-over to a
 * thread is addresses in a message, and test/runtime shows that a moved buffer is moved.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copiesDuring } from './copy-watch.ts';
import { within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import { echoModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
import { tensorOf } from './tensor.ts';
import { type Call, msgpackMessage, oipJsonBody, packed } from './wire-forms.ts';

/** Large enough to tell from everything else, small enough to arrive in one piece. */
const elements = 4096;
const bytes = elements * 4;

const call: Call = {
  model: 'echo',
  inputs: [
    tensorOf(
      { name: 'x0', datatype: 'FP32', shape: [1, elements] },
      Array.from({ length: elements }, Math.sqrt),
    ),
  ],
};

let under: GatewayUnderTest;
beforeAll(async () => {
  const file = echoModel([{ datatype: 'FP32', shape: ['batch', elements] }]);
  under = await startTestGateway({
    models: [{ name: 'echo', version: '1.0.0', file }],
    inlineRunUsMax: 1_000_000,
  });
  expect(under.log).toContainEqual(expect.objectContaining({ msg: 'version loaded', inline: true }));
});
afterAll(() => under.close());

const placed = 'gateway/wire/packed-elements.ts';
const run = ['onnxruntime-web', 'onnxruntime-web'];
const handedBack = 'runtime/worker/arena-tensors.ts';
const encoded = 'gateway/wire/byte-writer.ts';

test('the table in runtime/README.md counts five copies, as these tests do', () => {
  const page = readFileSync(new URL('../../runtime/README.md', import.meta.url), 'utf8');
  const counted = [...page.matchAll(/^\|.*\| (\d): [^|]+\|$/gm)].map((row) => Number(row[1]));
  expect(counted).toEqual([placed, ...run, handedBack, encoded].map((_, index) => index + 1));
});

test('msgpack over HTTP is copied once at each stage of the table', async () => {
  const connection = await HttpConnection.open(under.port);
  const headers = { 'content-type': 'application/msgpack' };
  const body = packed(msgpackMessage(call));
  const message = requestBytes({ method: 'POST', path: '/v2/models/echo/infer', headers, body });
  const copies = await copiesDuring(bytes, async () => {
    connection.write(message);
    expect((await within(connection.next(), 'an answer'))?.status).toBe(200);
  });
  expect(copies).toEqual([placed, ...run, handedBack, encoded]);
  connection.destroy();
});

test('msgpack over WebSocket is copied once at each stage of the table', async () => {
  const client = await StreamClient.open(under.port);
  const message = packed(msgpackMessage({ ...call, id: 1 }, { fields: { model: 'echo' } }));
  const copies = await copiesDuring(bytes, async () => {
    client.send(message);
    await within(client.next(), 'an answer');
  });
  expect(copies).toEqual([placed, ...run, handedBack, 'gateway/wire/stream-answer.ts']);
  client.destroy();
});

test('JSON is parsed into the slot and written from the region: the runtime and the region copy, nothing else', async () => {
  const connection = await HttpConnection.open(under.port);
  const message = requestBytes({ method: 'POST', path: '/v2/models/echo/infer', body: oipJsonBody(call) });
  // The body of text is larger than what comes in one piece, so it may be collected: that copy is not the tensor's.
  const copies = await copiesDuring(bytes, async () => {
    connection.write(message);
    expect((await within(connection.next(), 'an answer'))?.status).toBe(200);
  });
  expect(copies.filter((file) => file !== 'gateway/socket/http-exchange.ts')).toEqual([...run, handedBack]);
  connection.destroy();
});
