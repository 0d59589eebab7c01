/** Answers that are given again: in every format, as the model gave them, and never those of another version. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { StreamClient, tensor } from '../../client/main.ts';
import { NodeWebSocket } from '../client/node-web-socket.ts';
import { forms } from './callers.ts';
import { eventually } from './deadline.ts';
import { DirectSession } from './direct-session.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { relativeDifference, type Tensor, tensorOf } from './tensor.ts';
import type { Outcome } from './wire-forms.ts';

const files = new Map([
  ['1.0.0', demoModel('iris-1.0.0')],
  ['2.0.0', demoModel('iris-2.0.0')],
]);

function rowOf(seed: number): Tensor {
  return tensorOf({ name: 'features', datatype: 'FP32', shape: [1, 4] }, [5 + seed / 8, 3.5, 1.5, 0.25]);
}

const seeds = [0, 1, 2, 3];
/** By version and seed. */
const wanted = new Map<string, readonly Tensor[]>();
beforeAll(async () => {
  for (const [version, file] of files) {
    const session = await DirectSession.open(file);
    for (const seed of seeds) wanted.set(`${version}/${seed}`, await session.run([rowOf(seed)]));
  }
});

/** How far an answer is from a direct run of the version that it names. */
function distance(outcome: Outcome, seed: number): number {
  if (outcome.kind === 'error') return Infinity;
  const reference = wanted.get(`${outcome.modelVersion}/${seed}`) ?? [];
  if (reference.length === 0) return Infinity;
  return Math.max(
    ...reference.map((tensor) =>
      relativeDifference(
        outcome.outputs.find(({ name }) => name === tensor.name),
        tensor,
      ),
    ),
  );
}

let under: GatewayUnderTest;
afterEach(() => under.close());

function start(bytesMax: number, models?: readonly string[]): Promise<GatewayUnderTest> {
  const [file] = files.values();
  if (file === undefined) throw new Error('there is a model');
  return startTestGateway({
    models: [{ name: 'iris', version: '1.0.0', file }],
    responseCache: { bytesMax, ...(models !== undefined && { models }) },
  });
}

async function ask(features: readonly number[], path = 'iris'): Promise<string | null> {
  const body = JSON.stringify({ features: [features] });
  const response = await fetch(`${under.url}/predict/${path}`, { method: 'POST', body });
  await response.arrayBuffer();
  return response.headers.get('x-cache');
}

test('an answer is given again in every format, and counted', async () => {
  under = await start(1024 * 1024);
  for (const form of forms) {
    const caller = under.caller(form);
    for (const id of form === 'predict-json' ? [undefined] : ['first', 'second']) {
      const call = { model: 'iris', inputs: [rowOf(1)], ...(id !== undefined && { id }) };
      expect(distance(await caller.call(call), 1)).toBeLessThan(1e-5);
    }
  }
  const metrics = await under.metrics();
  const labels = { model: 'iris', version: '1.0.0' };
  const asked = 2 * forms.length - 1;
  expect(metrics.sum('nv_inference_exec_count', labels)).toBe(1);
  expect(metrics.sum('nv_cache_num_misses_per_model', labels)).toBe(1);
  expect(metrics.sum('nv_cache_num_hits_per_model', labels)).toBe(asked - 1);
  expect(metrics.sum('tidegate_requests_total', { ...labels, code: 'OK' })).toBe(asked);
  expect(metrics.sum('tidegate_cache_answers')).toBe(1);
  expect(metrics.sum('tidegate_cache_bytes')).toBeGreaterThan(0);
  expect(metrics.sum('tidegate_cache_bytes_max')).toBe(1024 * 1024);
  const statistics = (await (await fetch(`${under.url}/v2/models/iris/stats`)).json()) as {
    readonly model_stats: readonly [{ readonly inference_stats: Readonly<Record<string, unknown>> }];
  };
  expect(statistics.model_stats[0].inference_stats).toMatchObject({
    success: { count: asked },
    cache_hit: { count: asked - 1 },
    cache_miss: { count: 1 },
  });
});

describe('the answer says', () => {
  test('whether it was there already, and nothing where answers are not kept', async () => {
    under = await start(1024 * 1024);
    expect([await ask([1, 2, 3, 4]), await ask([1, 2, 3, 4]), await ask([1, 2, 3, 5])]).toEqual([
      'miss',
      'hit',
      'miss',
    ]);
    await under.close();
    under = await start(1024 * 1024, ['another']);
    expect([await ask([1, 2, 3, 4]), await ask([1, 2, 3, 4])]).toEqual([null, null]);
  });

  test('the same on a stream', async () => {
    under = await start(1024 * 1024);
    const client = new StreamClient({ url: under.url, webSocket: NodeWebSocket });
    const features = tensor('FP32', [1, 4], [1, 2, 3, 4]);
    const said: unknown[] = [];
    for (let call = 0; call < 2; call++) {
      said.push((await client.infer({ model: 'iris', inputs: { features } })).cache);
    }
    await client.close();
    expect(said).toEqual(['miss', 'hit']);
  });

  test('nothing any more once the deployment says that answers are not kept', async () => {
    under = await start(1024 * 1024);
    expect([await ask([1, 2, 3, 4]), await ask([1, 2, 3, 4])]).toEqual(['miss', 'hit']);
    under.store.deploy('iris', '1.0.0', { cache: { enabled: false } });
    await eventually(async () => (await ask([1, 2, 3, 4])) === null, 'a question that is not looked up');
    under.store.deploy('iris', '1.0.0', { cache: { enabled: true, ttlMs: 60_000 } });
    await eventually(async () => (await ask([1, 2, 3, 4])) === 'hit', 'an answer from memory');
  });

  test('that a request shared the run of another one, where it did', async () => {
    under = await start(1024 * 1024);
    const uses = await Promise.all(Array.from({ length: 40 }, () => ask([4, 3, 2, 1])));
    const metrics = await under.metrics();
    expect(uses.filter((use) => use === 'miss')).toHaveLength(1);
    expect(uses.filter((use) => use === 'coalesced')).toHaveLength(
      metrics.sum('tidegate_cache_coalesced_total'),
    );
    expect(metrics.sum('nv_inference_count')).toBe(1);
  });
});

test('what does not fit goes, and is run again', async () => {
  under = await start(16 * 1024);
  for (let index = 0; index < 50; index++) await ask([index, 0, 0, 0]);
  const metrics = await under.metrics();
  expect(metrics.sum('tidegate_cache_bytes')).toBeLessThanOrEqual(16 * 1024);
  expect(metrics.sum('tidegate_cache_evicted_total')).toBeGreaterThan(30);
  expect([await ask([49, 0, 0, 0]), await ask([0, 0, 0, 0])]).toEqual(['hit', 'miss']);
});

test('under load no answer is that of another version, whichever is live', async () => {
  under = await start(1024 * 1024);
  for (const [version, file] of files) under.store.publish('iris', version, file);
  let sending = true;
  const wrong: Outcome[] = [];
  const seen = new Set<string>();
  let answered = 0;
  const work = forms.map(async (form, index) => {
    const caller = under.caller(form);
    for (let turn = index; sending; turn++) {
      const seed = turn % seeds.length;
      const outcome = await caller.call({ model: 'iris', inputs: [rowOf(seed)] });
      if (distance(outcome, seed) > 1e-5) wrong.push(outcome);
      if (outcome.kind === 'answer') seen.add(outcome.modelVersion);
      answered += 1;
    }
  });
  const live = (): number => under.log.filter(({ msg }) => msg === 'live version changed').length;
  for (let flip = 0; flip < 20; flip++) {
    const before = live();
    under.store.deploy('iris', flip % 2 === 0 ? '2.0.0' : '1.0.0');
    await eventually(() => live() > before, 'the other version to be live', 20_000);
    const answeredBefore = answered;
    await eventually(() => answered > answeredBefore + 2 * forms.length, 'answers between two flips', 20_000);
  }
  sending = false;
  await Promise.all(work);
  expect(wrong.slice(0, 3)).toEqual([]);
  expect([...seen].sort()).toEqual(['1.0.0', '2.0.0']);
  expect((await under.metrics()).sum('nv_cache_num_hits_per_model')).toBeGreaterThan(20);
}, 60_000);
