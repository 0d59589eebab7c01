/**
 * Clients that leave before their answer: what still waits is never run, what runs is answered to nobody, and memory and
 * counters return to where they were.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HttpConnection, requestBytes } from './http-connection.ts';
import { echoModel, slowModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
import { tensorOf } from './tensor.ts';
import { type Call, msgpackMessage, oipJsonBody, packed, unpacked } from './wire-forms.ts';

const slow: Call = {
  model: 'slow',
  inputs: [tensorOf({ name: 'x', datatype: 'FP32', shape: [4, 256] }, Array<number>(4 * 256).fill(1))],
};
const wide: Call = {
  model: 'wide',
  inputs: [tensorOf({ name: 'x0', datatype: 'FP32', shape: [1, 4096] }, Array<number>(4096).fill(1))],
};

let under: GatewayUnderTest;
let arenaBytesAtRest: number;
beforeAll(async () => {
  under = await startTestGateway({
    models: [
      { name: 'slow', version: '1.0.0', file: slowModel(100) },
      { name: 'wide', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch', 4096] }]) },
    ],
    limits: { batchRowsMax: 8, connectionBacklogBytesMax: 64 * 1024, connectionInflightMax: 4096 },
    inlineRunUsMax: 0,
  });
  const caller = under.caller('oip-json');
  for (const call of [slow, wide]) expect(await caller.call(call)).toMatchObject({ kind: 'answer' });
  arenaBytesAtRest = (await under.metrics()).sum('tidegate_arena_bytes');
});
afterAll(() => under.close());

async function inflight(): Promise<number> {
  return (await under.metrics()).sum('tidegate_inflight_requests');
}

async function expectNothingLeft(): Promise<void> {
  await eventually(async () => (await inflight()) === 0, 'nothing to be in flight');
  expect((await under.metrics()).sum('tidegate_queue_rows')).toBe(0);
  // A run that nobody waits for any more has its tensors until it ends.
  const arenaBytes = async (): Promise<number> => (await under.metrics()).sum('tidegate_arena_bytes');
  await eventually(async () => (await arenaBytes()) === arenaBytesAtRest, 'the memory to be given back');
  expect(await under.caller('oip-json').call(slow)).toMatchObject({ kind: 'answer' });
}

async function abandoned(model: string): Promise<number> {
  return (await under.metrics()).sum('tidegate_requests_total', { model, code: 'ABANDONED' });
}

test.each(['finish', 'destroy'] as const)(
  'HTTP clients that leave (%s) while they wait are forgotten',
  async (leave) => {
    const before = await under.metrics();
    const count = 40;
    const bytes = requestBytes({ method: 'POST', path: '/v2/models/slow/infer', body: oipJsonBody(slow) });
    const connections = await Promise.all(
      Array.from({ length: count }, () => HttpConnection.open(under.port)),
    );
    for (const connection of connections) connection.write(bytes);
    await eventually(async () => (await inflight()) >= count / 2, 'half of them to be in flight');
    for (const connection of connections) connection[leave]();
    await expectNothingLeft();
    const metrics = await under.metrics();
    const gone = metrics.sum('tidegate_requests_total', { model: 'slow', code: 'ABANDONED' });
    const goneBefore = before.sum('tidegate_requests_total', { model: 'slow', code: 'ABANDONED' });
    expect(gone - goneBefore).toBeGreaterThan(count / 4);
    const rowsRun = (m: typeof metrics): number => m.sum('tidegate_batch_rows_sum', { model: 'slow' });
    expect(rowsRun(metrics) - rowsRun(before)).toBeLessThan(count * 4);
  },
);

test('a WebSocket that closes with 500 requests in flight takes them along', async () => {
  const goneBefore = await abandoned('slow');
  const client = await StreamClient.open(under.port);
  for (let id = 0; id < 500; id++) {
    client.send(packed(msgpackMessage({ ...slow, id }, { fields: { model: 'slow' } })));
  }
  await eventually(async () => (await inflight()) > 400, 'them to be in flight');
  client.destroy();
  await expectNothingLeft();
  expect((await abandoned('slow')) - goneBefore).toBeGreaterThan(400);
});

test('a WebSocket that reads nothing is cut off at its backlog, and others are answered meanwhile', async () => {
  const client = await StreamClient.open(under.port);
  client.pause();
  // Answers of 16 KiB: more than the kernel's buffers and the backlog hold together.
  for (let id = 0; id < 2000; id++) {
    client.send(packed(msgpackMessage({ ...wide, id }, { fields: { model: 'wide' } })));
  }
  expect(await under.caller('oip-json').call(wide)).toMatchObject({ kind: 'answer' });
  await eventually(async () => (await inflight()) === 0, 'nothing to be in flight', 20_000);
  client.resume();
  await within(client.closed, 'the socket to be cut off');
  await expectNothingLeft();
});

test('an answer that arrives is whole even when the client asked again and left', async () => {
  const client = await StreamClient.open(under.port);
  client.send(packed(msgpackMessage({ ...wide, id: 'first' }, { fields: { model: 'wide' } })));
  const answer = unpacked((await within(client.next(), 'an answer'))!.payload);
  expect(answer).toMatchObject({ id: 'first', model_name: 'wide' });
  client.send(packed(msgpackMessage({ ...slow, id: 'second' }, { fields: { model: 'slow' } })));
  client.destroy();
  await expectNothingLeft();
});
