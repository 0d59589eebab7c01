/**
 * Models that fail on some inputs, and faults of the gateway itself: the request that failed is told so, its neighbours
 * get their answers, and nobody is told what went wrong inside.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { oipJson } from '../../gateway/wire/message-format.ts';
import { forms } from './callers.ts';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { echoModel, lookupModel } from './odd-models.ts';
import { type Tensor, tensorOf } from './tensor.ts';
import type { Call } from './wire-forms.ts';

const models = [
  { name: 'lookup', version: '1.0.0', file: lookupModel() },
  { name: 'echo', version: '1.0.0', file: echoModel([{ datatype: 'FP32', shape: ['batch'] }]) },
];

function indexes(values: readonly number[]): Tensor[] {
  return [tensorOf({ name: 'index', datatype: 'INT64', shape: [values.length] }, values)];
}

const echo: Call = { model: 'echo', inputs: [tensorOf({ name: 'x0', datatype: 'FP32', shape: [1] }, [7])] };

describe.each([
  { where: 'a thread', inlineRunUsMax: 0 },
  { where: 'the event loop', inlineRunUsMax: 1_000_000 },
])('on $where', ({ inlineRunUsMax }) => {
  let under: GatewayUnderTest;
  beforeAll(async () => {
    under = await startTestGateway({ models, inlineRunUsMax });
  });
  afterAll(() => under.close());
  afterEach(() => vi.restoreAllMocks());

  test.each(forms)('a request that the model cannot compute is told MODEL_FAILED, as %s', async (form) => {
    const caller = under.caller(form);
    const outcome = await caller.call({ model: 'lookup', inputs: indexes([99]) });
    expect(outcome).toMatchObject({ kind: 'error', code: 'MODEL_FAILED' });
    // The runtime's own words name files of its build; they are for the log.
    expect(JSON.stringify(outcome)).not.toMatch(/Gather|onnx|\.cc|\/|idx/i);
    expect(await caller.call({ model: 'lookup', inputs: indexes([3]) })).toMatchObject({ kind: 'answer' });
  });

  test('its neighbours in the batch get their answers', async () => {
    const retriedBefore = (await under.metrics()).sum('tidegate_batches_retried_total', { model: 'lookup' });
    const caller = under.caller('stream-msgpack');
    await caller.call({ model: 'lookup', inputs: indexes([1]) });
    // Sent in one turn on one socket, so they share batches; every seventh is bad.
    const calls = Array.from({ length: 200 }, (_, at) =>
      at % 7 === 3 ? [at % 10, 10 + at] : [at % 10, (at + 1) % 10],
    );
    const outcomes = await Promise.all(
      calls.map((values) => caller.call({ model: 'lookup', inputs: indexes(values) })),
    );
    const found = outcomes.map((outcome) =>
      outcome.kind === 'error' ? outcome.code : [...(outcome.outputs[0]?.data ?? [])],
    );
    const wanted = calls.map((values) =>
      values.some((value) => value > 9) ? 'MODEL_FAILED' : values.map((value) => value * value),
    );
    expect(found).toEqual(wanted);
    const metrics = await under.metrics();
    expect(metrics.sum('tidegate_batches_retried_total', { model: 'lookup' })).toBeGreaterThan(retriedBefore);
    expect(metrics.sum('tidegate_inflight_requests')).toBe(0);
    expect(under.log.some(({ msg }) => msg === 'request failed')).toBe(true);
  });

  test.each([
    { where: 'while a request is read', spy: () => vi.spyOn(oipJson, 'decode') },
    { where: 'while an answer is written', spy: () => vi.spyOn(oipJson, 'encode') },
  ])('a fault of the gateway $where is answered INTERNAL and costs nobody else', async ({ spy }) => {
    const faults = (): number => under.log.filter(({ level }) => level === 50).length;
    const faultsBefore = faults();
    const caller = under.caller('oip-json');
    const other = under.caller('oip-msgpack');
    await Promise.all([caller.call(echo), other.call(echo)]);
    const arenaBytes = (await under.metrics()).sum('tidegate_arena_bytes');
    const broken = spy().mockImplementation(() => {
      throw new Error('secret of /srv/app/secret.ts');
    });
    const [failed, answered] = await Promise.all([caller.call(echo), other.call(echo)]);
    broken.mockRestore();
    expect(failed).toMatchObject({ kind: 'error', status: 500, code: 'INTERNAL' });
    expect(JSON.stringify(failed)).not.toContain('secret');
    expect(answered).toMatchObject({ kind: 'answer' });
    expect(faults()).toBe(faultsBefore + 1);
    expect(await caller.call(echo)).toMatchObject({ kind: 'answer' });
    await eventually(
      async () => (await under.metrics()).sum('tidegate_arena_bytes') === arenaBytes,
      'the memory of the failed request',
    );
  });
});
