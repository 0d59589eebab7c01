/**
 * The end of a gateway: what is in flight is finished within the grace period, what comes is refused with the advice to
 * go elsewhere, and then every connection and thread is gone.
 */
import { afterEach, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection } from './http-connection.ts';
import { ModelThreads } from './model-threads.ts';
import { slowModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
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
  under = await startTestGateway({ models, inlineRunUsMax: 0 });
  const [first, second, third] = await Promise.all([0, 1, 2].map(() => HttpConnection.open(under.port)));
  const client = await StreamClient.open(under.port);
  const answers = [first!, second!].map((connection) => within(connection.exchange(post), 'an answer'));
  const streamed = within(client.next(), 'an answer');
  client.send(packed(msgpackMessage({ model: 'slow', inputs, id: 1 }, { fields: { model: 'slow' } })));
  await inflight(3);

  const closed = under.gateway.close();
  const ready = await third!.exchange({ path: '/v2/health/ready' });
  expect({ status: ready.status, body: ready.body.toString() }).toEqual({
    status: 503,
    body: '{"ready":false}',
  });
  expect((await third!.exchange({ path: '/v2/health/live' })).status).toBe(200);
  const refused = await third!.exchange(post);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(JSON.parse(refused.body.toString())).toMatchObject({ code: 'SHUTTING_DOWN' });
  await expect(HttpConnection.open(under.port)).rejects.toThrow('ECONNREFUSED');

  for (const answer of answers) expect((await answer).status).toBe(200);
  expect(unpacked((await streamed)!.payload)).toMatchObject({ id: 1, model_name: 'slow' });
  await within(closed, 'the gateway to close');
  await within(Promise.all([first!.closed, third!.closed, client.closed]), 'the connections to end');
  await eventually(() => threads?.alive === 0, 'the threads to end');
});

test('answers what is left when the grace period is over, each once', async () => {
  under = await startTestGateway({
    models,
    inlineRunUsMax: 0,
    limits: { shutdownGraceMs: 0, batchRowsMax: 64 },
  });
  const connections = await Promise.all(Array.from({ length: 10 }, () => HttpConnection.open(under.port)));
  const client = await StreamClient.open(under.port);
  const answers = connections.map((connection) => within(connection.exchange(post), 'an answer'));
  const streamed = within(client.next(), 'an answer');
  client.send(packed(msgpackMessage({ model: 'slow', inputs, id: 1 }, { fields: { model: 'slow' } })));
  await inflight(8);
  await within(under.gateway.close(), 'the gateway to close');
  for (const answer of await Promise.all(answers)) {
    if (answer.status === 200) continue;
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ code: 'SHUTTING_DOWN' });
  }
  const last = unpacked((await streamed)!.payload);
  expect(last).toMatchObject({ id: 1, code: 'SHUTTING_DOWN' });
});

test('closes at once when nothing is in flight, and only once', async () => {
  under = await startTestGateway({ models });
  const idle = await HttpConnection.open(under.port);
  const first = under.gateway.close();
  expect(under.gateway.close()).toBe(first);
  await within(first, 'the gateway to close', 5000);
  await within(idle.closed, 'the connection to end');
  expect(under.log.filter(({ msg }) => msg === 'gateway stopped')).toHaveLength(1);
});
