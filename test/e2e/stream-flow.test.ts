/**
 * Clients that read too slowly: what waits for them is bounded, they are told to pause and told to go on, and one that
 * does not read at all is cut off. And the end of the gateway: everybody is told, the last answers are read, and the
 * sockets end with 1001.
 */
import { afterEach, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HeldThreads } from './held-threads.ts';
import { slowModel, widenModel } from './odd-models.ts';
import { clientFrame, StreamClient } from './stream-client.ts';
import { StreamTalk } from './stream-talk.ts';
import { packed } from './wire-forms.ts';

const mib = 1024 * 1024;
/** One float becomes 256 KiB of answer. */
const width = 65_536;
const wideModel = { name: 'widen', version: '1.0.0', file: widenModel(width) };
const slow = { name: 'slow', version: '1.0.0', file: slowModel(8) };

let under: GatewayUnderTest;
afterEach(() => under.close());

function wide(id: number): Readonly<Record<string, unknown>> {
  const data = Buffer.from(Float32Array.of(id).buffer);
  return { id, model: 'widen', inputs: [{ name: 'x', shape: [1, 1], datatype: 'FP32', data }] };
}

function lasting(id: number | string): Readonly<Record<string, unknown>> {
  const data = Buffer.from(new Float32Array(64 * 256).buffer);
  return { id, model: 'slow', inputs: [{ name: 'x', shape: [64, 256], datatype: 'FP32', data }] };
}

async function refusedAsSlow(): Promise<number> {
  return (await under.metrics()).sum('tidegate_requests_total', { code: 'SLOW_READER' });
}

async function inflight(): Promise<number> {
  return (await under.metrics()).sum('tidegate_inflight_requests');
}

test('a slow reader is told to pause and to go on, and gets every answer', async () => {
  under = await startTestGateway({
    models: [wideModel],
    limits: { connectionBacklogBytesMax: 8 * mib, connectionInflightMax: 64 },
  });
  const talk = await StreamTalk.open(under.port, { 'sec-websocket-protocol': 'tidegate.v1' });
  talk.client.pause();
  let asked = 0;
  await eventually(async () => {
    talk.say(wide(asked));
    asked += 1;
    return (await refusedAsSlow()) > 0;
  }, 'a refusal of the slow reader');
  for (let more = 0; more < 10; more++) talk.say(wide(asked++));
  await eventually(async () => (await refusedAsSlow()) >= 10, 'ten refusals');
  expect(talk.operations('flow')).toEqual([]);

  talk.client.resume();
  await talk.operation('flow', 2);
  await talk.answered(asked);
  expect(talk.operations('flow')).toEqual([
    { op: 'flow', paused: true },
    { op: 'flow', paused: false },
  ]);
  const order = talk.heard.map(({ fields }) => fields['code'] ?? fields['op'] ?? 'answer');
  const pausedAt = order.indexOf('flow');
  expect(order.slice(0, pausedAt)).not.toContain('SLOW_READER');
  const refused = talk.answers.filter(({ code }) => code === 'SLOW_READER');
  expect(refused.length).toBeGreaterThanOrEqual(10);
  expect(refused.every((error) => Number(error['retry_after_ms']) > 0)).toBe(true);
  expect(new Set(talk.answers.map(({ id }) => id)).size).toBe(asked);
  expect(talk.answers).toHaveLength(asked);
  // What was refused may be sent again now.
  const again = Number(refused[0]?.['id']);
  talk.say(wide(again));
  await eventually(() => talk.answersTo(again).length === 2, 'the second answer');
  expect(talk.answersTo(again)[1]).toMatchObject({ model_name: 'widen' });
  talk.client.destroy();
});

test('a client that does not read is cut off at the limit', async () => {
  under = await startTestGateway({
    models: [wideModel],
    limits: { connectionBacklogBytesMax: mib, connectionInflightMax: 256 },
  });
  const talk = await StreamTalk.open(under.port);
  const other = await StreamTalk.open(under.port);
  talk.client.pause();
  const frames = Array.from({ length: 256 }, (_, id) => clientFrame(packed(wide(id))));
  talk.client.write(Buffer.concat(frames));
  await eventually(async () => (await inflight()) === 0, 'nothing to be in flight');
  talk.client.resume();
  await within(talk.client.closed, 'the end of the socket');
  // What the two kernels held and what waited here; all of it would be 64 MiB.
  const bytes = talk.heard.reduce((sum, heard) => sum + heard.bytes, 0);
  expect(bytes).toBeLessThan(24 * mib);
  other.say(wide(1));
  expect(await other.answer(1)).toMatchObject({ model_name: 'widen' });
  other.client.destroy();
});

test('at shutdown everybody is told, what is in flight is answered, and the socket ends with 1001', async () => {
  const asked = 24;
  const held = new HeldThreads();
  const { workerFile } = held;
  const limits = { shutdownGraceMs: 20_000 };
  under = await startTestGateway({ models: [slow], inlineRunUsMax: 0, limits, workerFile });
  held.hold('run');
  const busy = await StreamTalk.open(under.port);
  const idle = await StreamTalk.open(under.port, { 'sec-websocket-protocol': 'tidegate.v1' });
  const textual = await StreamTalk.open(under.port);
  textual.sayText({ op: 'ping' });
  await textual.operation('pong');
  for (let id = 0; id < asked; id++) busy.say(lasting(id));
  await eventually(async () => (await inflight()) === asked, 'all to be in flight');

  const closed = under.gateway.close();
  await busy.operation('goaway');
  busy.say(lasting('late'));
  expect(await busy.answer('late')).toMatchObject({ code: 'SHUTTING_DOWN', retry_after_ms: 1000 });
  held.release();
  await within(closed, 'the gateway to close', 20_000);
  const ends = [busy, idle, textual];
  await within(Promise.all(ends.map(({ client }) => client.closed)), 'the sockets to end');
  for (const { client, heard } of ends) {
    expect(client.closeFrame?.code).toBe(1001);
    expect(heard.map(({ fields }) => fields)).toContainEqual({ op: 'goaway', grace_ms: 20_000 });
  }
  for (let id = 0; id < asked; id++) expect(busy.answersTo(id)).toMatchObject([{ model_name: 'slow' }]);
  expect(textual.heard.every(({ isText }) => isText)).toBe(true);
  expect(idle.heard[0]?.fields['op']).toBe('hello');
});

test('at shutdown a slow reader still gets its answers', async () => {
  under = await startTestGateway({ models: [wideModel], limits: { connectionInflightMax: 256 } });
  const talk = await StreamTalk.open(under.port);
  talk.client.pause();
  talk.client.write(Buffer.concat(Array.from({ length: 48 }, (_, id) => clientFrame(packed(wide(id))))));
  await eventually(
    async () => (await under.metrics()).sum('tidegate_requests_total') >= 48,
    'all to be answered',
  );
  const closed = under.gateway.close();
  talk.client.resume();
  await within(closed, 'the gateway to close');
  await within(talk.client.closed, 'the socket to end');
  expect(talk.answers).toHaveLength(48);
  expect(talk.client.closeFrame?.code).toBe(1001);
});

test('when the grace period ends the rest is told, and the socket ends with 1001 too', async () => {
  const held = new HeldThreads();
  const { workerFile } = held;
  const limits = { shutdownGraceMs: 0 };
  under = await startTestGateway({ models: [slow], inlineRunUsMax: 0, limits, workerFile });
  held.hold('run');
  const talk = await StreamTalk.open(under.port);
  const asked = 30;
  for (let id = 0; id < asked; id++) talk.say(lasting(id));
  await eventually(async () => (await inflight()) === asked, 'all to be in flight');
  await within(under.gateway.close(), 'the gateway to close');
  await within(talk.client.closed, 'the socket to end');
  expect(talk.client.closeFrame?.code).toBe(1001);
  expect(new Set(talk.answers.map(({ id }) => id)).size).toBe(talk.answers.length);
  expect(talk.answers.filter(({ code }) => code === 'SHUTTING_DOWN').length).toBeGreaterThan(0);
});

test('there is no socket to be had from a gateway that shuts down', async () => {
  under = await startTestGateway({ models: [slow] });
  await under.gateway.close();
  await expect(StreamClient.open(under.port)).rejects.toThrow('ECONNREFUSED');
});
