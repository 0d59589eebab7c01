/**
 * Many requests in flight on one socket: each answered once, by its id, in any order; and a client that disappears takes
 * nothing along that is not given back.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectGarbage } from './collect-garbage.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { echoModel, slowModel, ticketModel } from './odd-models.ts';
import { clientFrame } from './stream-client.ts';
import { StreamTalk } from './stream-talk.ts';
import { fieldsOf, listOf, packed } from './wire-forms.ts';

const inflightMax = 1000;

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({
    models: [
      { name: 'ticket', version: '1.0.0', file: ticketModel() },
      { name: 'slow', version: '1.0.0', file: slowModel(40) },
      { name: 'wide', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch', 2048] }]) },
    ],
    limits: { connectionInflightMax: inflightMax },
  });
});
afterAll(() => under.close());

function ticketRequest(id: number | string, ticket: number): Readonly<Record<string, unknown>> {
  const values = Buffer.from(Float32Array.from({ length: 5 }, (_, index) => ticket + index).buffer);
  const tickets = Buffer.from(BigInt64Array.of(BigInt(ticket)).buffer);
  return {
    id,
    model: 'ticket',
    inputs: [
      { name: 'values_in', shape: [1, 5], datatype: 'FP32', data: values },
      { name: 'ticket_in', shape: [1], datatype: 'INT64', data: tickets },
    ],
  };
}

function slowRequest(id: number | string, rows: number, value: number): Readonly<Record<string, unknown>> {
  const data = Buffer.from(Float32Array.from({ length: rows * 256 }, () => value).buffer);
  return { id, model: 'slow', inputs: [{ name: 'x', shape: [rows, 256], datatype: 'FP32', data }] };
}

async function inflight(): Promise<number> {
  return (await under.metrics()).sum('tidegate_inflight_requests');
}

/** A run that nobody waits for any more has its tensors until it ends: no thread is at work when they are counted. */
async function restingArenaBytes(): Promise<number> {
  return eventually(async () => {
    const metrics = await under.metrics();
    return metrics.sum('tidegate_threads', { state: 'busy' }) === 0 && metrics.sum('tidegate_arena_bytes');
  }, 'the threads to rest');
}

test('a thousand requests in flight are each answered once, by id, out of order', async () => {
  const talk = await StreamTalk.open(under.port);
  const ids = Array.from({ length: inflightMax }, (_, index) => (index % 3 === 0 ? `s${index}` : index * 7));
  // Some that take long come first: what comes behind must overtake them.
  const frames = ids.map((id, index) =>
    clientFrame(packed(index < 8 ? slowRequest(id, 64, index + 1) : ticketRequest(id, index))),
  );
  talk.client.write(Buffer.concat(frames));
  await talk.answered(inflightMax);
  expect(new Set(talk.answers.map(({ id }) => id))).toEqual(new Set(ids));
  expect(talk.answers).toHaveLength(inflightMax);
  for (const answer of talk.answers) {
    const index = ids.indexOf(answer['id'] as number | string);
    expect(answer['code']).toBeUndefined();
    if (index < 8) continue;
    const ticket = listOf(answer['outputs'])
      .map(fieldsOf)
      .find(({ name }) => name === 'ticket');
    expect((ticket?.['data'] as Buffer).readBigInt64LE()).toBe(BigInt(index));
  }
  const order = talk.answers.map(({ id }) => ids.indexOf(id as number | string));
  expect(order).not.toEqual([...order].sort((a, b) => a - b));
  await eventually(async () => (await inflight()) === 0, 'nothing to be in flight');
  // Nothing comes twice, also later.
  talk.say(ticketRequest('last', 1));
  await talk.answer('last');
  expect(talk.answers).toHaveLength(inflightMax + 1);
  talk.client.destroy();
});

test('clients that are killed with a thousand requests in flight leave nothing behind', async () => {
  const data = Buffer.alloc(2048 * 4, 1);
  const wide = (id: number): object => ({
    id,
    model: 'wide',
    inputs: [{ name: 'x0', shape: [1, 2048], datatype: 'FP32', data }],
  });
  const killed = async (): Promise<void> => {
    const talk = await StreamTalk.open(under.port);
    const frames = Array.from({ length: inflightMax }, (_, id) =>
      clientFrame(packed(id % 50 === 0 ? slowRequest(id, 16, 1) : wide(id))),
    );
    talk.client.write(Buffer.concat(frames));
    await talk.answered(1);
    talk.client.destroy();
    await eventually(async () => (await inflight()) === 0, 'nothing to be in flight');
  };
  const bytes = (): number => {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  for (let round = 0; round < 3; round++) await killed();
  const arenaBytesAtRest = await restingArenaBytes();
  const before = bytes();
  for (let round = 0; round < 6; round++) await killed();
  // A round has 16 MB of answers and 8 MB of requests. Buffers of sockets that were just ended are freed a little later.
  await eventually(() => bytes() < before + 8 * 1024 * 1024, 'what the six had to be freed');
  expect(await restingArenaBytes()).toBe(arenaBytesAtRest);
  expect((await under.metrics()).sum('tidegate_queue_rows')).toBe(0);
}, 120_000);
