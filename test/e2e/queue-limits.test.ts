/**
 * More work than fits is refused at the door with QUEUE_FULL and the advice to come again; what was taken is answered,
 * and the memory of the queue stays within its limit.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { within } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection } from './http-connection.ts';
import { slowModel } from './odd-models.ts';
import { StreamClient } from './stream-client.ts';
import { type Tensor, tensorOf } from './tensor.ts';
import { msgpackMessage, oipJsonBody, oipJsonOutcome, packed, unpacked } from './wire-forms.ts';

const models = [{ name: 'slow', version: '1.0.0', file: slowModel(50) }];

/** Rows of one number each, so that an answer tells whose it is. */
function input(rows: number, value: number): Tensor[] {
  return [
    tensorOf({ name: 'x', datatype: 'FP32', shape: [rows, 256] }, Array<number>(rows * 256).fill(value)),
  ];
}

let under: GatewayUnderTest;
afterEach(async () => {
  const metrics = await under.metrics();
  expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
  expect(metrics.sum('tidegate_queue_rows')).toBe(0);
  expect(await under.caller('oip-json').call({ model: 'slow', inputs: input(1, 1) })).toMatchObject({
    kind: 'answer',
  });
});

describe.each([
  {
    what: 'rows',
    limits: { requestRowsMax: 4, batchRowsMax: 4, queueRowsMax: 8 },
  },
  {
    what: 'bytes',
    limits: { batchRowsMax: 4, requestBytesMax: 8192, queueBytesMax: 32 * 1024 },
  },
])('a queue of few $what', ({ limits }) => {
  beforeAll(async () => {
    under = await startTestGateway({ models, limits, inlineRunUsMax: 0 });
  });
  afterAll(() => under.close());

  test('answers some of many clients and refuses the others, each once', async () => {
    const calls = Array.from({ length: 60 }, (_, index) => ({ rows: 1 + (index % 4), value: index }));
    // All of them are there before the first one asks, so that they come together.
    const connections = await Promise.all(calls.map(() => HttpConnection.open(under.port)));
    const ask = async (connection: HttpConnection, at: number): Promise<HttpAnswer> => {
      const { rows, value } = calls[at]!;
      const body = oipJsonBody({ model: 'slow', inputs: input(rows, value) });
      const answer = await within(
        connection.exchange({ method: 'POST', path: '/v2/models/slow/infer', body }),
        'an answer',
      );
      connection.destroy();
      return answer;
    };
    const answers = await Promise.all(connections.map(ask));
    let refused = 0;
    for (const [index, { status, headers, body }] of answers.entries()) {
      const { rows, value } = calls[index]!;
      const outcome = oipJsonOutcome(body, status);
      if (outcome.kind === 'error') {
        refused += 1;
        expect(outcome).toMatchObject({ status: 503, code: 'QUEUE_FULL' });
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      } else {
        expect(new Set<unknown>(outcome.outputs[0]?.data)).toEqual(new Set([value]));
        expect(outcome.outputs[0]?.data.length).toBe(rows * 256);
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(calls.length);
  });
});

describe('a socket with a limit of 8 requests in flight', () => {
  beforeAll(async () => {
    under = await startTestGateway({ models, limits: { connectionInflightMax: 8 }, inlineRunUsMax: 0 });
  });
  afterAll(() => under.close());

  test('refuses the ninth, and an answer makes room for another', async () => {
    const client = await StreamClient.open(under.port);
    const codes = new Map<unknown, unknown>();
    const all = new Promise<void>((resolve) => {
      client.onMessage(({ payload }) => {
        const { id, code = 'OK' } = unpacked(payload);
        codes.set(id, code);
        if (codes.size === 12) resolve();
      });
    });
    const message = (id: number): Buffer =>
      packed(msgpackMessage({ model: 'slow', inputs: input(1, id), id }, { fields: { model: 'slow' } }));
    for (let id = 0; id < 12; id++) client.send(message(id));
    await within(all, 'all answers');
    expect([...codes.entries()].sort(([a], [b]) => Number(a) - Number(b)).map(([, code]) => code)).toEqual([
      ...Array<string>(8).fill('OK'),
      ...Array<string>(4).fill('CALLER_LIMIT'),
    ]);
    client.send(message(99));
    expect(unpacked((await within(client.next(), 'an answer'))!.payload)).toMatchObject({ id: 99 });
    client.destroy();
  });
});
