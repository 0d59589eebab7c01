/**
 * Deadlines and priorities over HTTP: what cannot begin in time is not run and says so, and the urgent goes first. One
 * slow model on one thread, so that requests pile up.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { slowModel } from './odd-models.ts';
import { tensorOf } from './tensor.ts';
import { fieldsOf, oipJsonBody } from './wire-forms.ts';

/** One run at a time takes about this long or longer; only order and outcome are judged. */
const models = [{ name: 'slow', version: '1.0.0', file: slowModel(1500) }];
const path = '/v2/models/slow/infer';

let under: GatewayUnderTest;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: { batchRowsMax: 1 }, inlineRunUsMax: 0 });
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

/** Keeps the thread busy: when this resolves some requests wait behind the one that runs, and what a run takes was just seen. */
async function busy(): Promise<{ readonly over: Promise<unknown> }> {
  await ask({});
  const over = Promise.all(Array.from({ length: 8 }, () => ask({})));
  const state = { isOver: false };
  void over.then(() => {
    state.isOver = true;
  });
  while ((await under.metrics()).sum('tidegate_queue_rows') < 4) {
    if (state.isOver) throw new Error('the model is not slow enough for this test');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { over };
}

describe('a deadline', () => {
  test.each([
    ['the parameter timeout, in microseconds', { timeout: 1000 }, {}],
    ['the header x-deadline-ms', {}, { 'x-deadline-ms': '1' }],
    ['the shorter of both', { timeout: 60_000_000 }, { 'x-deadline-ms': '1' }],
  ])('by %s ends what cannot begin in time (DEADLINE_EXCEEDED)', async (_, parameters, headers) => {
    const { over } = await busy();
    const answer = await ask(parameters, headers);
    expect([answer.status, codeOf(answer)]).toEqual([504, 'DEADLINE_EXCEEDED']);
    expect(answer.headers.get('retry-after')).toBe('1');
    // It was answered when it was due, not when its turn would have come.
    expect((await under.metrics()).sum('tidegate_queue_rows')).toBeGreaterThan(0);
    await over;
    expect((await under.metrics()).sum('tidegate_inflight_requests')).toBe(0);
  });

  test.each([
    [{ timeout: 60_000_000 }, {}],
    [{ timeout: 0 }, {}],
    [{}, { 'x-deadline-ms': '3600000' }],
  ])('of %j and %j does not hurt who is in time', async (parameters, headers) => {
    const { over } = await busy();
    expect((await ask(parameters, headers)).status).toBe(200);
    await over;
  });

  test.each(['0', '-1', '1.5', 'soon', '3600001', '1e3'])('in the header of %s is refused', async (value) => {
    const answer = await ask({}, { 'x-deadline-ms': value });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'INVALID_REQUEST']);
  });
});

test('requests begin by priority, and in the order they came within one', async () => {
  const { over } = await busy();
  const order: string[] = [];
  const waiting: Promise<unknown>[] = [];
  for (const [name, priority] of [
    ['patient', 9],
    ['default', 0],
    ['middle', 5],
    ['beyond', 1000],
    ['urgent', 1],
    ['second urgent', 1],
  ] as const) {
    waiting.push(ask({ priority }).then(() => order.push(name)));
    // One after the other, so that the order of arrival is certain.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all([over, ...waiting]);
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
