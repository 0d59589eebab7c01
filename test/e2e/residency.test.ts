/**
 * More models than memory: all of them answer, those that nobody asks for make room, who waits waits in bounds, and nothing
 * goes round in circles.
 */
import { afterEach, expect, test } from 'vitest';
import { eventually } from './deadline.ts';
import { type GatewayUnderTest, startTestGateway, type TestModel } from './gateway-under-test.ts';
import { scaleModel, unloadableModel } from './odd-models.ts';
import { tensorOf } from './tensor.ts';

let under: GatewayUnderTest;
afterEach(() => under.close());

/** `model3` multiplies by 4. All files have one size, which is what such a small model takes. */
const model = (index: number): TestModel => {
  return { name: `model${index}`, version: '1', file: scaleModel(index + 1) };
};
const models = (count: number): readonly TestModel[] =>
  Array.from({ length: count }, (_, index) => model(index));
const fileBytes = scaleModel(1).length;
const holding = (count: number): number => Math.floor((count + 0.5) * fileBytes);

interface Answer {
  readonly status: number;
  readonly retryAfterS: number;
  readonly code: string | undefined;
  readonly data: readonly number[] | undefined;
}

async function ask(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  input = 'x',
): Promise<Answer> {
  const response = await fetch(`${under.url}/v2/models/${path}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ inputs: [{ name: input, datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] }] }),
  });
  const body = (await response.json()) as {
    readonly code?: string;
    readonly outputs?: readonly { readonly data: readonly number[] }[];
  };
  return {
    status: response.status,
    retryAfterS: Number(response.headers.get('retry-after')),
    code: body.code,
    data: body.outputs?.[0]?.data,
  };
}

async function health(): Promise<object> {
  return (await (await fetch(`${under.url}/v2/health/ready`)).json()) as object;
}

async function isResident(name: string, version = '1'): Promise<boolean> {
  return (await under.metrics()).sum('tidegate_model_resident', { model: name, version }) === 1;
}

function logged(message: string): number {
  return under.log.filter(({ msg }) => msg === message).length;
}

test('50 models on a memory that holds 10: all answer, each is loaded once for it, and nobody waits for long', async () => {
  under = await startTestGateway({
    models: models(50),
    modelMemoryBytesMax: holding(10),
    limits: { modelChurnMsMin: 300 },
    loadsBeside: false,
  });
  const start = await under.metrics();
  expect(start.sum('tidegate_model_resident')).toBe(10);
  expect(start.sum('tidegate_ready')).toBe(1);
  expect(start.sum('tidegate_evictions_total')).toBe(0);
  expect(await health()).toMatchObject({
    memory: { models_bytes: 10 * fileBytes, models_bytes_max: holding(10), not_resident_count: 40 },
  });
  // Several for each: whoever comes while it is loaded waits for the same load.
  // On one socket, so that all of them are there before the first model has to go.
  const wanted = Array.from({ length: 150 }, (_, index) => index % 50);
  const caller = under.caller('stream-msgpack');
  const inputs = [tensorOf({ name: 'x', datatype: 'FP32', shape: [1, 4] }, [1, 2, 3, 4])];
  const answers = await Promise.all(
    wanted.map(async (index) => {
      const outcome = await caller.call({ model: `model${index}`, inputs });
      return outcome.kind === 'answer' ? [...(outcome.outputs[0]?.data ?? [])] : outcome.code;
    }),
  );
  expect(answers).toEqual(wanted.map((index) => [1, 2, 3, 4].map((value) => value * (index + 1))));
  const end = await under.metrics();
  // Where this process stood still between two requests to a model, that may have had to go meanwhile.
  const loads = end.sum('tidegate_cold_starts_total');
  expect(loads).toBeGreaterThanOrEqual(40);
  expect(loads).toBeLessThanOrEqual(45);
  expect(end.sum('tidegate_evictions_total', { cause: 'room' })).toBe(loads);
  const waits = end.sum('tidegate_cold_wait_seconds_count');
  expect(waits).toBeGreaterThanOrEqual(120);
  expect(waits).toBeLessThanOrEqual(135);
  expect(end.sum('tidegate_cold_wait_seconds_bucket', { le: '30' })).toBe(waits);
  expect(end.sum('tidegate_cold_rows')).toBe(0);
  expect(end.sum('tidegate_model_resident')).toBe(10);
  expect(end.sum('tidegate_memory_bytes', { kind: 'models' })).toBe(10 * fileBytes);
}, 60_000);

test('the thread that is kept for the next load is counted, and goes before anything else has to', async () => {
  under = await startTestGateway({
    models: [model(0)],
    inlineRunUsMax: 0,
    modelMemoryBytesMax: holding(3),
    limits: { spareMsMax: 3_600_000, modelIdleMsMax: 0 },
  });
  const deployed = async (index: number): Promise<number> => {
    const { name, version, file } = model(index);
    under.store.publish(name, version, file);
    // While its thread is in use something is loaded beside it, on another that takes its place.
    expect(await ask('model0')).toMatchObject({ status: 200 });
    under.store.deploy(name, version);
    const isThere = async (): Promise<boolean> => {
      expect(await ask('model0')).toMatchObject({ status: 200 });
      return isResident(name);
    };
    await eventually(isThere, `${name} to be there`, 30_000);
    const page = await under.metrics();
    const taken = page.sum('tidegate_memory_bytes', { kind: 'models' });
    expect([taken, page.sum('tidegate_model_memory_bytes')]).toEqual(Array(2).fill((index + 1) * fileBytes));
    return page.sum('tidegate_memory_bytes', { kind: 'models_kept' });
  };
  // Two models, and one of them once more on the thread that is kept: as much as there may be.
  expect(await deployed(1)).toBe(fileBytes);
  const page = await under.metrics();
  const isTold = page.sum('tidegate_engine_info', { engine: 'wasm' }) === 1;
  expect(page.sum('tidegate_thread_memory_bytes', { thread: 'kept' }) > 0).toBe(isTold);
  expect(await deployed(2)).toBe(0);
  const end = await under.metrics();
  expect(end.sum('tidegate_thread_memory_bytes', { thread: 'kept' })).toBe(0);
  expect(end.sum('tidegate_threads_replaced_total', { cause: 'loaded_beside' })).toBe(2);
  expect(end.sum('tidegate_evictions_total')).toBe(0);
  const statistics = await (await fetch(`${under.url}/v2/models/model0/stats`)).json();
  expect(statistics).toMatchObject({
    model_stats: [{ memory_usage: [{ type: 'CPU', id: 0, byte_size: fileBytes }] }],
  });
}, 60_000);

test('a working set that is larger than the memory gets turns only as often as the churn age says', async () => {
  under = await startTestGateway({ models: models(5), modelMemoryBytesMax: holding(2) });
  // Two are there ahead of any request; they are used, and by that no longer free to go.
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all([0, 1, 2, 3, 4].map((index) => ask(`model${index}`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 503, 503, 503]);
    expect(answers.map(({ code }) => code).slice(2)).toEqual(['MODEL_COLD', 'MODEL_COLD', 'MODEL_COLD']);
    // Five minutes, of which nobody is told more than one.
    expect(answers[2]?.retryAfterS).toBe(60);
  }
  expect((await under.metrics()).sum('tidegate_evictions_total')).toBe(0);
}, 30_000);

test('a model that nobody asks for leaves memory, is ready all the same, and comes back', async () => {
  under = await startTestGateway({
    models: [model(0), model(1)],
    limits: { modelIdleMsMax: 200, modelChurnMsMin: 0, inlineJsonBytesMax: 200 },
    pinnedModels: ['model1', 'misspelt'],
  });
  expect(logged('pinned models that the store does not have')).toBe(1);
  await eventually(async () => !(await isResident('model0')), 'model0 to leave', 20_000);
  expect(logged('version evicted from memory')).toBe(1);
  expect((await fetch(`${under.url}/v2/models/model0/ready`)).status).toBe(200);
  const index = await fetch(`${under.url}/v2/repository/index`, { method: 'POST' });
  expect(await index.json()).toEqual([
    { name: 'model0', version: '1', state: 'READY', reason: 'not in memory' },
    { name: 'model1', version: '1', state: 'READY', reason: '' },
  ]);
  // What is wrong with a request is said without loading anything.
  const bad = await fetch(`${under.url}/v2/models/model0/infer`, { method: 'POST', body: '{"inputs": []}' });
  expect(await bad.json()).toMatchObject({ code: 'MISSING_INPUT' });
  expect((await under.metrics()).sum('tidegate_cold_starts_total')).toBe(0);

  const rows = tensorOf(
    { name: 'x', datatype: 'FP32', shape: [50, 4] },
    Array.from({ length: 200 }, (_, i) => i),
  );
  for (const form of ['oip-json', 'oip-binary', 'stream-msgpack'] as const) {
    await eventually(async () => !(await isResident('model0')), `model0 to leave before ${form}`, 20_000);
    // As JSON so much is read on a thread.
    const outcome = await under.caller(form).call({ model: 'model0', inputs: [rows] });
    expect(outcome).toMatchObject({ kind: 'answer' });
  }
  const page = await under.metrics();
  expect(page.sum('tidegate_cold_starts_total', { model: 'model0' })).toBe(3);
  expect(page.sum('tidegate_evictions_total', { model: 'model0', cause: 'idle' })).toBeGreaterThanOrEqual(3);
  expect(page.sum('tidegate_evictions_total', { model: 'model1' })).toBe(0);
  expect(await isResident('model1')).toBe(true);
}, 60_000);

test('a version that was away is what the next one is brought to the size of', async () => {
  const file = { ...model(0), file: scaleModel(1) };
  under = await startTestGateway({
    models: [file],
    threads: 2,
    inlineRunUsMax: 0,
    limits: { modelIdleMsMax: 2500, modelChurnMsMin: 0 },
  });
  const autoScaling = { minReplicas: 1, maxReplicas: 2, targetCpuPercent: 70 };
  under.store.deploy('model0', '1', { resources: { replicas: 2, autoScaling } });
  await eventually(async () => !(await isResident('model0')), 'model0 to leave', 20_000);
  expect(await ask('model0')).toMatchObject({ data: [1, 2, 3, 4] });
  under.store.publish('model0', '2', scaleModel(2));
  under.store.deploy('model0', '2', { resources: { autoScaling } });
  const grown = (): boolean =>
    under.log.some(({ because }) => because === '100 % of the traffic is about to come');
  // Who is asked does not leave again meanwhile.
  const isNext = async (): Promise<boolean> => {
    await ask('model0');
    return logged('live version changed') === 2;
  };
  await eventually(isNext, 'version 2 to be live', 20_000);
  expect(grown()).toBe(true);
}, 60_000);

test('nobody waits whose time is too short or for whom there is no room in the line', async () => {
  under = await startTestGateway({
    models: models(3),
    modelMemoryBytesMax: holding(1),
    limits: { coldRowsMax: 0 },
  });
  const refused = await ask('model1');
  expect(refused).toMatchObject({ status: 503, code: 'MODEL_COLD' });
  expect(refused.retryAfterS).toBeGreaterThanOrEqual(1);
  // It was loaded all the same: who comes again finds it.
  await eventually(async () => (await ask('model1')).status === 200, 'model1 to be there', 20_000);
  expect(await ask('model2', { 'x-deadline-ms': '100' })).toMatchObject({ status: 503, code: 'MODEL_COLD' });
}, 30_000);

test('what does not fit even alone is said to be so, and the old version serves on', async () => {
  const large = scaleModel(2, 8 * fileBytes);
  under = await startTestGateway({
    models: [model(0), { name: 'large', version: '1', file: large }],
    modelMemoryBytesMax: holding(3),
  });
  expect(await health()).toMatchObject({
    ready: false,
    problems: [
      {
        model: 'large',
        problem: 'NOT_SERVED',
        reason: 'MODEL_MEMORY',
        detail: expect.stringContaining('Raise --model-memory') as unknown,
      },
    ],
  });
  expect(await ask('large')).toMatchObject({ status: 503, code: 'MODEL_NOT_READY' });
  under.store.undeploy('large');
  under.store.publish('model0', '2', large);
  under.store.deploy('model0', '2');
  await eventually(() => logged('deployment not served') === 2, 'the refusal', 20_000);
  expect(await health()).toMatchObject({
    ready: true,
    problems: [{ model: 'model0', problem: 'NOT_CURRENT', reason: 'MODEL_MEMORY' }],
  });
  expect(await ask('model0')).toMatchObject({ status: 200, data: [1, 2, 3, 4] });
  const [metadata] = under.store.current.models.get('large')?.values() ?? [];
  expect(under.gateway.memoryRefusalOf(metadata!.artifact)).toContain('MODEL_MEMORY');
}, 30_000);

test('a version gets fewer threads before it gets none', async () => {
  under = await startTestGateway({ models: [model(0)], threads: 2, modelMemoryBytesMax: holding(1) });
  under.store.deploy('model0', '1', { resources: { replicas: 2 } });
  await eventually(() => logged('fewer replicas than asked') === 1, 'the shortfall', 20_000);
  expect(await health()).toMatchObject({
    ready: true,
    problems: [
      {
        problem: 'FEWER_REPLICAS',
        reason: 'MODEL_MEMORY',
        detail: `2 asked, 1 placed: the memory for models allows 1 of ${fileBytes} bytes each`,
      },
    ],
  });
  expect(await ask('model0')).toMatchObject({ data: [1, 2, 3, 4] });
}, 30_000);

test('a version that was cut for memory gets a thread more when there is some, and gives it up before another has to wait', async () => {
  under = await startTestGateway({ models: models(2), threads: 2, modelMemoryBytesMax: holding(3) });
  const replicas = async (name: string): Promise<number> =>
    (await under.metrics()).sum('tidegate_replicas', { model: name, state: 'placed' });
  expect([await replicas('model0'), await replicas('model1')]).toEqual([2, 1]);
  under.store.undeploy('model0');
  await eventually(async () => (await replicas('model1')) === 2, 'model1 to be on both threads', 20_000);
  under.store.deploy('model0', '1', { resources: { replicas: 1 } });
  await eventually(async () => (await replicas('model0')) === 1, 'model0 to be back', 20_000);
  expect(await replicas('model1')).toBe(2);
  under.store.publish('model2', '1', scaleModel(3));
  under.store.deploy('model2', '1', { resources: { replicas: 1 } });
  await eventually(async () => (await replicas('model2')) === 1, 'model2', 20_000);
  expect([await replicas('model0'), await replicas('model1')]).toEqual([1, 1]);
  expect(logged('version evicted from memory')).toBe(0);
  expect(await ask('model1')).toMatchObject({ data: [2, 4, 6, 8] });
}, 60_000);

test('the version before goes first, a rollout keeps both, and a file that is broken is found when it is asked for', async () => {
  under = await startTestGateway({
    models: [
      { ...model(0), version: '1' },
      { ...model(0), version: '2', file: scaleModel(10) },
      model(1),
      { name: 'broken', version: '1', file: unloadableModel() },
    ],
    modelMemoryBytesMax: holding(2),
    limits: { modelChurnMsMin: 0 },
  });
  // model0 had its version before beside it, until model1 was asked for.
  expect([await isResident('model0', '2'), await isResident('model0', '1')]).toEqual([true, true]);
  expect(await ask('model0')).toMatchObject({ data: [10, 20, 30, 40] });
  expect(await ask('model1')).toMatchObject({ data: [2, 4, 6, 8] });
  expect([await isResident('model0', '2'), await isResident('model0', '1')]).toEqual([true, false]);
  // Called by name it answers again, and now something else had to go.
  expect(await ask('model0/versions/1')).toMatchObject({ data: [1, 2, 3, 4] });
  expect((await ask('broken', {}, 'features')).code).toBe('MODEL_NOT_READY');
  expect(await health()).toMatchObject({
    ready: false,
    problems: [{ model: 'broken', problem: 'NOT_SERVED' }],
  });
  under.store.undeploy('broken');

  under.store.deploy('model0', '2', {
    strategy: 'canary',
    candidate: { version: '1', sha256: under.store.current.models.get('model0')!.get('1')!.artifact.sha256 },
    trafficBps: 5000,
    rolloutId: 'r1',
  });
  await eventually(() => logged('traffic divided') === 1, 'the rollout', 20_000);
  expect([await isResident('model0', '2'), await isResident('model0', '1')]).toEqual([true, true]);
  // Both of its versions stay, so there is no room for anything else.
  expect(await ask('model1', { 'x-deadline-ms': '2000' })).toMatchObject({ status: 503, code: 'MODEL_COLD' });
}, 60_000);

test('who waits for a model is answered when it is undeployed, and before the gateway stops', async () => {
  under = await startTestGateway({
    models: models(3),
    modelMemoryBytesMax: holding(1),
    limits: { modelChurnMsMin: 25_000 },
  });
  expect(await ask('model1')).toMatchObject({ status: 200 });
  // model1 stays, and the others wait for it to go.
  const [gone, there] = [ask('model0'), ask('model2')];
  await eventually(
    async () => (await under.metrics()).sum('tidegate_cold_rows') === 2,
    'both to wait',
    20_000,
  );
  under.store.undeploy('model0');
  expect(await gone).toMatchObject({ status: 404, code: 'UNKNOWN_MODEL' });
  under.store.undeploy('model1');
  await under.gateway.close();
  expect(await there).toMatchObject({ status: 200, data: [3, 6, 9, 12] });
}, 30_000);
