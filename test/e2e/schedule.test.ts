/**
 * Deadlines and priorities over HTTP: what cannot begin in time is not run and says so, and the urgent goes first. One
 * model on one thread, whose runs are held so that requests pile up.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { HeldThreads } from './held-threads.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { slowModel } from './odd-models.ts';
import { tensorOf } from './tensor.ts';
import { fieldsOf, oipJsonBody } from './wire-forms.ts';

/** A run takes some milliseconds, which is longer than the deadlines that are missed. */
const models = [{ name: 'slow', version: '1.0.0', file: slowModel(500) }];
const path = '/v2/models/slow/infer';

const held = new HeldThreads();
let under: GatewayUnderTest;
beforeAll(async () => {
  const { workerFile } = held;
  under = await startTestGateway({ models, limits: { batchRowsMax: 1 }, inlineRunUsMax: 0, workerFile });
});
afterAll(() => under.close());

const message = JSON.parse(
  oipJsonBody({
    model: 'slow',
    inputs: [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 256] }, Array<number>(256).fill(1))],
  }),
) as object;

/** Sends one request on a connection of its own. */
async function ask(parameters: object, headers: Readonly<Record<string, string>> = {}): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(under.port);
  try {
    const body = JSON.stringify({ ...message, parameters });
    return await within(connection.exchange({ method: 'POST', path, headers, body }), 'an answer');
  } finally {
    connection.destroy();
  }
}

function codeOf(answer: HttpAnswer): unknown {
  return fieldsOf(JSON.parse(String(answer.body)))['code'];
}

/** Keeps the thread busy until `release`: when this resolves others wait behind what runs, and what a run takes was just seen. */
async function busy(): Promise<{ readonly release: () => Promise<unknown> }> {
  await ask({});
  held.hold('run');
  const over = Promise.all(Array.from({ length: 8 }, () => ask({})));
  await eventually(
    async () => (await under.metrics()).sum('tidegate_queue_rows') >= 4,
    'requests to wait for the thread',
  );
  return {
    release: () => {
      held.release();
      return over;
    },
  };
}

describe('a deadline', () => {
  test.each([
    ['the parameter timeout, in microseconds', { timeout: 1000 }, {}],
    ['the header x-deadline-ms', {}, { 'x-deadline-ms': '1' }],
    ['the shorter of both', { timeout: 60_000_000 }, { 'x-deadline-ms': '1' }],
  ])('by %s ends what cannot begin in time (DEADLINE_EXCEEDED)', async (_, parameters, headers) => {
    const { release } = await busy();
    // It is answered when it is due, not when its turn would have come.
    const answer = await ask(parameters, headers);
    expect([answer.status, codeOf(answer)]).toEqual([504, 'DEADLINE_EXCEEDED']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    await release();
    expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
  });

  test.each([
    [{ timeout: 60_000_000 }, {}],
    [{ timeout: 0 }, {}],
    [{}, { 'x-deadline-ms': '3600000' }],
  ])('of %j and %j does not hurt who is in time', async (parameters, headers) => {
    const { release } = await busy();
    const answer = ask(parameters, headers);
    await release();
    expect((await answer).status).toBe(200);
  });

  test.each(['0', '-1', '1.5', 'soon', '3600001', '1e3'])('in the header of %s is refused', async (value) => {
    const answer = await ask({}, { 'x-deadline-ms': value });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'INVALID_REQUEST']);
  });
});

test('requests begin by priority, and in the order they came within one', async () => {
  const requests = [
    ['patient', 9],
    ['default', 0],
    ['middle', 5],
    ['beyond', 1000],
    ['urgent', 1],
    ['second urgent', 1],
  ] as const;
  // Sockets that are there already are read in the order in which something comes on them.
  const connections = await Promise.all(requests.map(() => HttpConnection.open(under.port)));
  const { release } = await busy();
  const order: string[] = [];
  const waiting = requests.map(async ([name, priority], at) => {
    const body = JSON.stringify({ ...message, parameters: { priority } });
    const answer = connections[at]!.exchange({ method: 'POST', path, body });
    expect((await within(answer, name)).status).toBe(200);
    order.push(name);
  });
  await eventually(
    async () => (await under.metrics()).sum('tidegate_inflight_requests') === 8 + requests.length,
    'all of them to wait',
  );
  await Promise.all([release(), ...waiting]);
  for (const connection of connections) connection.destroy();
  expect(order).toEqual(['urgent', 'second urgent', 'default', 'middle', 'patient', 'beyond']);
});

describe('parameters', () => {
  test.each([
    [{ sequence_id: 7 }, 'UNSUPPORTED_PARAMETER'],
    [{ sequence_id: 'a' }, 'UNSUPPORTED_PARAMETER'],
    [{ sequence_start: true }, 'UNSUPPORTED_PARAMETER'],
    [{ sequence_end: true }, 'UNSUPPORTED_PARAMETER'],
    [{ triton_enable_empty_final_response: true }, 'UNSUPPORTED_PARAMETER'],
    [{ timeout: -1 }, 'INVALID_REQUEST'],
    [{ timeout: 1.5 }, 'INVALID_REQUEST'],
    [{ timeout: '1000' }, 'INVALID_REQUEST'],
    [{ priority: -1 }, 'INVALID_REQUEST'],
    [{ priority: true }, 'INVALID_REQUEST'],
    [{ binary_data_output: 1 }, 'INVALID_REQUEST'],
    [{ mine: [1] }, 'INVALID_REQUEST'],
    [{ mine: { a: 1 } }, 'INVALID_REQUEST'],
  ])('%j are refused (%s)', async (parameters, code) => {
    const answer = await ask(parameters);
    expect([answer.status, codeOf(answer)]).toEqual([400, code]);
  });

  test.each([
    {},
    { mine: 'text', other: 1.5, third: false, fourth: null },
    { sequence_id: 0, sequence_start: false, sequence_end: false },
    { priority: 0, timeout: 0, binary_data_output: false },
  ])('%j are taken', async (parameters) => {
    expect((await ask(parameters)).status).toBe(200);
  });
});
