/**
 * Metadata and the extensions as clients of other servers of the protocol use them: configuration, statistics, and the
 * model repository, on a node that may change its store and on one that may not.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RepositoryControl } from '../../gateway/main.ts';
import { fail, succeed } from '../../gateway/wire/error-code.ts';
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';
import { engineUnderTest } from '../runtime/engine-under-test.ts';
import { within } from './deadline.ts';
import { demoModel, type GatewayUnderTest, startTestGateway } from './gateway-under-test.ts';
import { type HttpAnswer, HttpConnection, type RequestParts } from './http-connection.ts';
import { echoModel, unloadableModel } from './odd-models.ts';

const fixed = echoModel([{ datatype: 'BYTES', shape: [2, 3] }]);
const models = [
  { name: 'iris', version: '1.0.0', file: demoModel('iris-1.0.0') },
  { name: 'iris', version: '2.0.0', file: demoModel('iris-2.0.0') },
  { name: 'fixed', version: '7', file: fixed },
  { name: 'broken', version: '1', file: unloadableModel() },
];

type Fields = Readonly<Record<string, unknown>>;

let under: GatewayUnderTest;
let engine: EngineChoice;
beforeAll(async () => {
  under = await startTestGateway({ models, limits: { batchRowsMax: 32 } });
  under.store.publish('iris', '3.0.0', demoModel('iris-1.0.0'));
  under.store.publish('spare', '1', fixed);
});
afterAll(() => under.close());

async function ask(parts: RequestParts, gateway: GatewayUnderTest = under): Promise<HttpAnswer> {
  const connection = await HttpConnection.open(gateway.port);
  try {
    return await within(connection.exchange(parts), 'an answer');
  } finally {
    connection.destroy();
  }
}

async function fields(parts: RequestParts, gateway?: GatewayUnderTest): Promise<Fields> {
  return JSON.parse((await ask(parts, gateway)).body.toString()) as Fields;
}

const row = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] };

describe('metadata', () => {
  test('of the server names what works', async () => {
    expect(await fields({ path: '/v2' })).toMatchObject({ name: 'tidegate', version: '0.0.0' });
    const { extensions } = await fields({ path: '/v2' });
    expect(extensions).toContain('statistics');
    expect(extensions).toContain('model_configuration');
    expect(extensions).not.toContain('model_repository');
  });

  test('of a model and of a version', async () => {
    const expected = {
      name: 'iris',
      versions: ['1.0.0', '2.0.0'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }],
    };
    expect(await fields({ path: '/v2/models/iris' })).toMatchObject(expected);
    expect(await fields({ path: '/v2/models/iris/versions/1.0.0/' })).toMatchObject(expected);
    expect((await ask({ path: '/v2/models/iris/versions/9/config' })).status).toBe(404);
    expect(await fields({ path: '/v2/models/broken/stats' })).toMatchObject({ code: 'MODEL_NOT_READY' });
    expect(await fields({ path: '/v2/models/broken/ready' })).toEqual({ name: 'broken', ready: false });
  });
});

test('configuration says how a model is run', async () => {
  expect(await fields({ path: '/v2/models/iris/config' })).toMatchObject({
    name: 'iris',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    max_batch_size: 32,
    input: [{ name: 'features', data_type: 'TYPE_FP32', dims: [4] }],
    dynamic_batching: { preferred_batch_size: [], max_queue_delay_microseconds: 0 },
    instance_group: [{ kind: 'KIND_CPU', count: 1 }],
  });
  const alone = await fields({ path: '/v2/models/fixed/config' });
  expect(alone).toMatchObject({
    max_batch_size: 0,
    input: [{ name: 'x0', data_type: 'TYPE_STRING', dims: [2, 3] }],
    output: [{ name: 'y0', data_type: 'TYPE_STRING', dims: [2, 3] }],
  });
  expect(alone).not.toHaveProperty('dynamic_batching');
});

test('statistics count requests, rows, batches and time', async () => {
  const path = '/v2/models/iris/versions/2.0.0';
  const statistics = async (from: string): Promise<readonly Fields[]> =>
    (await fields({ path: from }))['model_stats'] as readonly Fields[];
  const [fresh] = await statistics(`${path}/stats`);
  expect(fresh).toMatchObject({ name: 'iris', version: '2.0.0', last_inference: 0, inference_count: 0 });

  const beforeMs = Date.now();
  const two = { ...row, shape: [2, 4], data: [...row.data, ...row.data] };
  for (const inputs of [[row], [two], [{ ...row, name: 'nobody' }]]) {
    await ask({ method: 'POST', path: `${path}/infer`, body: JSON.stringify({ inputs }) });
  }
  const [used] = await statistics(`${path}/stats`);
  expect(used).toMatchObject({
    inference_count: 3,
    execution_count: 2,
    inference_stats: {
      success: { count: 2 },
      fail: { count: 1 },
      queue: { count: 2 },
      compute_input: { count: 2 },
      compute_infer: { count: 2 },
      compute_output: { count: 2 },
      cache_hit: { count: 0, ns: 0 },
    },
    batch_stats: [
      { batch_size: 1, compute_infer: { count: 1 } },
      { batch_size: 2, compute_infer: { count: 1 } },
    ],
  });
  const stats = used?.['inference_stats'] as Readonly<Record<string, { readonly ns: number }>>;
  const parts = ['queue', 'compute_input', 'compute_infer'].map((name) => stats[name]?.ns ?? 0);
  expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
  expect(stats['compute_infer']?.ns).toBeGreaterThan(0);
  // The parts of a request's time are not more than all of it, but for rounding.
  expect(parts.reduce((sum, ns) => sum + ns, 0)).toBeLessThanOrEqual((stats['success']?.ns ?? 0) + 1e5);
  expect(used?.['last_inference']).toBeGreaterThanOrEqual(beforeMs - 1000);
  expect(used?.['last_inference']).toBeLessThanOrEqual(Date.now() + 1000);

  const all = (await statistics('/v2/models/stats')).map(({ name, version }) => [name, version]);
  expect(all.sort()).toEqual([
    ['fixed', '7'],
    ['iris', '1.0.0'],
    ['iris', '2.0.0'],
  ]);
  expect(await statistics('/v2/models/iris/stats')).toHaveLength(2);

  const metrics = await under.metrics();
  const labels = { model: 'iris', version: '2.0.0' };
  expect(metrics.sum('nv_inference_request_success', labels)).toBe(2);
  expect(metrics.sum('nv_inference_request_failure', { ...labels, reason: 'OTHER' })).toBe(1);
  expect(metrics.sum('nv_inference_count', labels)).toBe(3);
  expect(metrics.sum('nv_inference_exec_count', labels)).toBe(2);
  expect(metrics.sum('nv_inference_pending_request_count', labels)).toBe(0);
  expect(metrics.sum('nv_inference_compute_infer_duration_us', labels)).toBeGreaterThan(0);
});

describe('the repository', () => {
  const index = { method: 'POST', path: '/v2/repository/index' };

  test('lists every version of the store and whether it answers', async () => {
    const list = (await fields(index)) as unknown as readonly Fields[];
    expect(list).toHaveLength(6);
    expect(list).toContainEqual({ name: 'iris', version: '1.0.0', state: 'READY', reason: '' });
    expect(list).toContainEqual({ name: 'iris', version: '2.0.0', state: 'READY', reason: '' });
    expect(list).toContainEqual({
      name: 'iris',
      version: '3.0.0',
      state: 'UNAVAILABLE',
      reason: 'not deployed',
    });
    expect(list.find(({ name }) => name === 'broken')).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringMatching(/^[A-Z_]+$/) as unknown,
    });
    const ready = (await fields({ ...index, body: '{"ready":true}' })) as unknown as readonly Fields[];
    expect(ready).toHaveLength(3);
    expect(await fields({ ...index, body: '{"ready":false}' })).toHaveLength(6);
    expect(await fields({ ...index, body: '{"ready":1}' })).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await fields({ ...index, body: '[]' })).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(await fields({ ...index, body: 'x'.repeat(2 ** 20 + 1) })).toMatchObject({
      code: 'BODY_TOO_LARGE',
    });
  });

  test('is not changed by a node that only follows it, which says who can', async () => {
    for (const verb of ['load', 'unload']) {
      const refused = await ask({ method: 'POST', path: `/v2/repository/models/iris/${verb}` });
      expect(refused.status).toBe(403);
      expect(JSON.parse(refused.body.toString())).toMatchObject({
        code: 'STORE_READ_ONLY',
        error: expect.stringContaining('tidegate deploy iris <version>') as unknown,
      });
    }
    expect((await ask({ path: '/v2/models/iris/ready' })).status).toBe(200);
  });

  describe('of a node that may change it', () => {
    let free: GatewayUnderTest;
    const control: RepositoryControl = {
      load: (model) => {
        if (model !== 'iris' && model !== 'broken') {
          return Promise.resolve(
            fail('UNKNOWN_MODEL', `Request for unknown model: '${model}' is not found.`),
          );
        }
        free.store.deploy(model, model === 'iris' ? '2.0.0' : '1');
        return Promise.resolve(succeed(model === 'iris' ? '2.0.0' : '1'));
      },
      unload: (model) => {
        free.store.undeploy(model);
        return Promise.resolve(succeed(undefined));
      },
    };
    beforeAll(async () => {
      engine = { ...(await engineUnderTest()), intraOpThreads: 2 };
      free = await startTestGateway({ models, control, engine });
    });
    afterAll(() => free.close());
    beforeEach(async () => {
      expect((await ask({ path: '/v2/models/iris/ready' }, free)).status).toBe(200);
    });

    const change = (model: string, verb: string, body = ''): Promise<HttpAnswer> =>
      ask({ method: 'POST', path: `/v2/repository/models/${model}/${verb}`, body }, free);

    test('tells what runs the models, and with how many threads a run, wherever it tells of itself', async () => {
      const told = { engine: engine.name, intra_op_threads: 2 };
      expect(await fields({ path: '/v2' }, free)).toMatchObject(told);
      expect(await fields({ path: '/v2/health/ready' }, free)).toMatchObject(told);
      const labels = { engine: engine.name, intra_op_threads: '2' };
      expect((await free.metrics()).sum('tidegate_engine_info', labels)).toBe(1);
      const start = free.log.find(({ msg }) => msg === 'gateway started');
      expect(start).toMatchObject({ engine: engine.name, intraOpThreads: 2 });
    });

    test('says that it may', async () => {
      expect((await fields({ path: '/v2' }, free))['extensions']).toContain('model_repository');
    });

    test('unload is over when the model does not answer, load when it does', async () => {
      const unloaded = await change('iris', 'unload', '{"parameters":{"unload_dependents":false}}');
      expect([unloaded.status, unloaded.body.toString()]).toEqual([200, '{"name":"iris","unload":true}']);
      expect((await ask({ path: '/v2/models/iris/ready' }, free)).status).toBe(404);
      const loaded = await change('iris', 'load');
      expect([loaded.status, loaded.body.toString()]).toEqual([200, '{"name":"iris","load":true}']);
    });

    test('is not changed by a web page of another site, but by the page that comes from here', async () => {
      const unload = { method: 'POST', path: '/v2/repository/models/iris/unload' };
      const foreign = await ask({ ...unload, headers: { origin: 'https://evil.example' } }, free);
      expect([foreign.status, JSON.parse(foreign.body.toString())]).toMatchObject([
        403,
        { code: 'ORIGIN_NOT_ALLOWED' },
      ]);
      expect((await ask({ path: '/v2/models/iris/ready' }, free)).status).toBe(200);
      const load = { method: 'POST', path: '/v2/repository/models/iris/load' };
      const rebound = { host: 'evil.example:80', origin: 'http://evil.example:80' };
      expect((await ask({ ...unload, headers: rebound }, free)).status).toBe(403);
      const own = { host: 'localhost:80', origin: 'http://localhost:80' };
      expect((await ask({ ...load, headers: own }, free)).status).toBe(200);
    });

    test('a model that is loaded is loaded again', async () => {
      expect((await change('iris', 'load', '{}')).status).toBe(200);
    });

    test.each([
      {
        what: 'a model that cannot be loaded',
        model: 'broken',
        body: '',
        status: 503,
        code: 'MODEL_NOT_READY',
      },
      { what: 'an unknown model', model: 'nobody', body: '', status: 404, code: 'UNKNOWN_MODEL' },
      {
        what: 'a configuration of its own',
        model: 'iris',
        body: '{"parameters":{"config":"{}"}}',
        status: 501,
        code: 'NOT_SUPPORTED',
      },
    ])('$what is answered $code', async ({ model, body, status, code }) => {
      const answer = await change(model, 'load', body);
      expect(answer.status).toBe(status);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ code });
    });
  });
});
