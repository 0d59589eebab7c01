/**
 * The end of a gateway: what is in flight is finished within the grace period, what comes is refused with the advice to
 * go elsewhere, and then every connection and thread is gone.
 */
import { afterEach, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import { HeldThreads } from './held-threads.ts';
import { ModelThreads } from './model-threads.ts';
import { slowModel, widenModel } from './odd-models.ts';
import { SlowReader } from './slow-clients.ts';
import { StreamClient } from './stream-client.ts';
import { StreamTalk } from './stream-talk.ts';
import { tensorOf } from './tensor.ts';
import { msgpackMessage, oipJsonBody, packed, unpacked } from './wire-forms.ts';

const models = [{ name: 'slow', version: '1.0.0', file: slowModel(60) }];
const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [64, 256] }, Array<number>(64 * 256).fill(1))];
const post = { method: 'POST', path: '/v2/models/slow/infer', body: oipJsonBody({ model: 'slow', inputs }) };

let under: GatewayUnderTest;
let threads: ModelThreads | undefined;
afterEach(async () => {
  await under.close();
  threads?.restore();
  threads = undefined;
});

async function inflight(count: number): Promise<void> {
  await eventually(
    async () => (await under.metrics()).sum('tidegate_inflight_requests') >= count,
    `${count} requests to be in flight`,
  );
}

test('finishes what is in flight and refuses what comes', async () => {
  threads = new ModelThreads();
  const held = new HeldThreads();
  const { workerFile } = held;
  under = await startTestGateway({ models, inlineRunUsMax: 0, workerFile });
  held.hold('run');
  const [first, second, ready, live, late] = await Promise.all(
    [0, 1, 2, 3, 4].map(() => HttpConnection.open(under.port)),
  );
  const client = await StreamClient.open(under.port);
  const answers = [first!, second!].map((connection) => within(connection.exchange(post), 'an answer'));
  const streamed = new StreamTalk(client).answer(1);
  client.send(packed(msgpackMessage({ model: 'slow', inputs, id: 1 }, { fields: { model: 'slow' } })));
  await inflight(3);

  const closed = under.gateway.close();
  const health = await ready!.exchange({ path: '/v2/health/ready' });
  expect(health.status).toBe(503);
  expect(JSON.parse(health.body.toString())).toMatchObject({ ready: false });
  expect((await live!.exchange({ path: '/v2/health/live' })).status).toBe(200);
  const refused = await late!.exchange(post);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  // Each was the last answer on its connection, and says so.
  expect([health, refused].map(({ headers }) => headers.get('connection'))).toEqual(['close', 'close']);
  expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'SHUTTING_DOWN' });
  await expect(HttpConnection.open(under.port)).rejects.toThrow('ECONNREFUSED');

  held.release();
  for (const answer of answers) expect((await answer).status).toBe(200);
  expect(await streamed).toMatchObject({ id: 1, model_name: 'slow' });
  await within(closed, 'the gateway to close');
  await within(Promise.all([first!.closed, ready!.closed, client.closed]), 'the connections to end');
  await eventually(() => threads?.alive === 0, 'the threads to end');
});

test('a client that asks again and again is told to go, and never finds its connection gone', async () => {
  under = await startTestGateway({
    models: [{ name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') }],
    limits: { shutdownLingerMs: 60_000 },
  });
  const ask = { method: 'POST', path: '/predict/iris', body: '{"features":[[5.1,3.5,1.4,0.2]]}' };
  const ends = new Array<string>();
  const callers = Array.from({ length: 16 }, async (_, index) => {
    const connection = await HttpConnection.open(under.port);
    for (;;) {
      const { status, headers } = await connection.exchange(ask);
      if (headers.get('connection') === 'close') {
        ends.push(String(status));
        return;
      }
      expect(status).toBe(200);
      // Some are between two requests when the end comes.
      if (index % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  // It ends with the last connection, long before the clients' time is over.
  await within(Promise.all([under.gateway.close(), ...callers]), 'the gateway to close', 20_000);
  expect(ends).toHaveLength(16);
  expect(ends.every((status) => status === '200' || status === '503')).toBe(true);
});

test('answers what is left when the grace period is over, each once', async () => {
  const held = new HeldThreads();
  under = await startTestGateway({
    ...{ models, inlineRunUsMax: 0, workerFile: held.workerFile },
    limits: { shutdownGraceMs: 0, batchRowsMax: 64 },
  });
  held.hold('run');
  const connections = await Promise.all(Array.from({ length: 10 }, () => HttpConnection.open(under.port)));
  const client = await StreamClient.open(under.port);
  const answers = connections.map((connection) => within(connection.exchange(post), 'an answer'));
  const streamed = new StreamTalk(client).answer(1);
  client.send(packed(msgpackMessage({ model: 'slow', inputs, id: 1 }, { fields: { model: 'slow' } })));
  await inflight(11);
  await within(under.gateway.close(), 'the gateway to close');
  for (const answer of await Promise.all(answers)) {
    if (answer.status === 200) continue;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'SHUTTING_DOWN' });
  }
  const last = await streamed;
  expect(last).toMatchObject({ id: 1, code: 'SHUTTING_DOWN' });
});

test('closes at once when nothing is in flight, and only once', async () => {
  under = await startTestGateway({ models });
  const idle = await HttpConnection.open(under.port);
  const first = under.gateway.close();
  expect(under.gateway.close()).toBe(first);
  await within(first, 'the gateway to close');
  await within(idle.closed, 'the connection to end');
  expect(under.log.filter(({ msg }) => msg === 'gateway stopped')).toHaveLength(1);
});

/** 16 rows of a million floats each, as msgpack: 64 MiB and a few bytes. */
const width = 1024 * 1024;
const rows = 16;
const answerBytes = rows * width * 4;
const wide = [{ name: 'wide', version: '1.0.0', file: widenModel(width) }];
const wideInputs = [
  tensorOf(
    { name: 'x', datatype: 'FP32', shape: [rows, 1] },
    Array.from({ length: rows }, (_, row) => row),
  ),
];

async function openExchanges(count: number): Promise<void> {
  await eventually(
    // The look itself is one too.
    async () => (await under.metrics()).sum('tidegate_open_exchanges') === count + 1,
    `${count} open exchanges`,
    30_000,
  );
}

test('a slow reader gets all of a very large answer', async () => {
  under = await startTestGateway({ models: wide, limits: { batchRowsMax: rows, shutdownGraceMs: 60_000 } });
  const body = packed(msgpackMessage({ model: 'wide', inputs: wideInputs }));
  const headers = { 'content-type': 'application/msgpack' };
  const post = { method: 'POST', path: '/v2/models/wide/infer', headers, body };
  const reader = await SlowReader.open(under.port, requestBytes(post));
  await eventually(
    async () => (await under.metrics()).sum('tidegate_requests_total', { model: 'wide', code: 'OK' }) === 1,
    'the request to be run',
    30_000,
  );
  // It was run, and counts as open because nobody has read the answer.
  await openExchanges(1);
  const closed = under.gateway.close();
  const answer = await within(reader.readAll(), 'the end of the answer', 60_000);
  await within(closed, 'the gateway to close');
  const content = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
  expect(content.length).toBeGreaterThan(answerBytes);
  const { outputs } = unpacked(content) as { outputs: { data: Uint8Array }[] };
  const data = Buffer.from(outputs[0]!.data);
  expect(data.length).toBe(answerBytes);
  for (let row = 0; row < rows; row++) {
    expect(data.readFloatLE(row * width * 4)).toBe(row);
    expect(data.readFloatLE((row + 1) * width * 4 - 4)).toBe(row);
  }
});

test('a reader that does not read is cut when the grace period is over', async () => {
  under = await startTestGateway({ models: wide, limits: { batchRowsMax: rows, shutdownGraceMs: 300 } });
  const body = packed(msgpackMessage({ model: 'wide', inputs: wideInputs }));
  const headers = { 'content-type': 'application/msgpack' };
  const post = { method: 'POST', path: '/v2/models/wide/infer', headers, body };
  const reader = await SlowReader.open(under.port, requestBytes(post));
  await openExchanges(1);
  await within(under.gateway.close(), 'the gateway to close');
  expect((await reader.readAll()).length).toBeLessThan(answerBytes);
});

test('a body that is half there is taken, run and answered', async () => {
  under = await startTestGateway({ models, limits: { shutdownGraceMs: 60_000 } });
  const bytes = requestBytes(post);
  const [uploader, silent] = await Promise.all([0, 1].map(() => HttpConnection.open(under.port)));
  uploader!.write(bytes.subarray(0, bytes.length / 2));
  await openExchanges(1);
  const closed = under.gateway.close();
  expect((await silent!.exchange(post)).status).toBe(503);
  const answer = uploader!.next();
  for (let at = Math.floor(bytes.length / 2); at < bytes.length; at += 8192) {
    uploader!.write(bytes.subarray(at, at + 8192));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect((await within(answer, 'the answer'))?.status).toBe(200);
  await within(closed, 'the gateway to close');
  await within(uploader!.closed, 'the connection to end');
});

test('a body that never comes is cut when the grace period is over', async () => {
  under = await startTestGateway({ models, limits: { shutdownGraceMs: 300 } });
  const uploader = await HttpConnection.open(under.port);
  const bytes = requestBytes(post);
  uploader.write(bytes.subarray(0, bytes.length / 2));
  await openExchanges(1);
  await within(under.gateway.close(), 'the gateway to close');
  await within(uploader.closed, 'the connection to end');
});
