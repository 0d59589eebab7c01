/** The life of a model over the control API, on the older paths and under /v1, with every change signed and written down. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readHistory, readStatus } from '../../registry-store/main.ts';
import { demoModel } from '../registry-store/temporary-store.ts';
import { modelFile } from '../cli/command-line.ts';
import { ControlUnderTest, artifactsOf } from '../gateway/admin/control-under-test.ts';
import { linearModel } from './pipeline-models.ts';
import { fixedBatchModel } from './odd-models.ts';
import { sumModel } from './stateful-models.ts';

const facts = { framework: 'sklearn', author: 'ada', metrics: { accuracy: 0.96 }, tags: ['demo'] };

test('the older paths: register, deploy, promote, scale, roll back, undeploy', async () => {
  const control = await ControlUnderTest.start();
  await copyFile(modelFile('2.0.0'), join(artifactsOf(control.store), 'iris-2.onnx'));
  const first = await control.call('POST', '/register_model', {
    as: 'publish',
    body: {
      name: 'iris',
      version: '1.0.0',
      description: 'three kinds of iris',
      ...facts,
      artifact_base64: Buffer.from(await demoModel('1.0.0')).toString('base64'),
      why: 'a first one',
    },
  });
  expect(first.status).toBe(201);
  expect(first.body).toMatchObject({
    name: 'iris',
    version: '1.0.0',
    stage: 'staged',
    deployed_as: null,
    ...facts,
  });
  const second = await control.call('POST', '/register_model', {
    as: 'publish',
    body: { name: 'iris', version: '2.0.0', ...facts, artifact_path: 'iris-2.onnx' },
  });
  expect(second.body).toMatchObject({ version: '2.0.0', published: { by: 'token:publish' } });

  const deploy = (version: string, config: object = {}): ReturnType<typeof control.call> =>
    control.call('POST', '/deploy_model', {
      as: 'deploy',
      body: { model_name: 'iris', model_version: version, ...config },
    });
  const live = await deploy('1.0.0', { strategy: 'IMMEDIATE', replicas: 2 });
  expect(live.status).toBe(201);
  expect(live.body).toMatchObject({
    model: 'iris',
    version: '1.0.0',
    strategy: 'all',
    replicas: 2,
    endpoint: 'http://127.0.0.1:8080/predict/iris',
  });
  const canary = await deploy('2.0.0', { strategy: 'canary', canary_traffic_percentage: 12.5 });
  expect(canary.body).toMatchObject({
    version: '1.0.0',
    candidate_version: '2.0.0',
    canary_traffic_percentage: 12.5,
    replicas: 2,
  });
  const promoted = await control.call('POST', '/promote_canary', {
    as: 'deploy',
    body: { model_name: 'iris' },
  });
  expect(promoted.body).toMatchObject({
    version: '2.0.0',
    previous_version: '1.0.0',
    candidate_version: null,
  });
  const scaled = await control.call('POST', '/scale_deployment', {
    as: 'deploy',
    body: {
      ...{ model_name: 'iris', replicas: 3, auto_scaling: true, max_replicas: 6, memory_limit: '512Mi' },
      batching: { allowed_rows: [1, 8] },
      cache: { enabled: true, ttl_ms: 60_000 },
    },
  });
  expect(scaled.body).toMatchObject({
    replicas: 3,
    auto_scaling: true,
    min_replicas: 1,
    max_replicas: 6,
    memory_limit: 512 * 1024 * 1024,
    batching: { allowed_rows: [1, 8] },
    cache: { enabled: true, ttl_ms: 60_000 },
  });
  const back = await control.call('POST', '/rollback', { as: 'deploy', body: { model_name: 'iris' } });
  expect(back.body).toMatchObject({ version: '1.0.0', replicas: 3, cache: { enabled: true } });

  const models = await control.call('GET', '/models', { as: 'read' });
  expect(models.body['models']).toMatchObject([
    { version: '1.0.0', deployed_as: 'live' },
    { version: '2.0.0', deployed_as: 'previous' },
  ]);
  const model = await control.call('GET', '/models/iris', { as: 'read' });
  expect(model.body).toMatchObject({ name: 'iris', deployment: { version: '1.0.0' } });
  const deployments = await control.call('GET', '/deployments', { as: 'read' });
  expect(deployments.body['deployments']).toMatchObject([{ model: 'iris', version: '1.0.0' }]);

  const dropped = await control.call('POST', '/undeploy_model', {
    as: 'deploy',
    body: { model_name: 'iris', model_version: '2.0.0' },
  });
  expect(dropped.body).toMatchObject({ model: 'iris', version: '2.0.0', undeployed: true });
  expect((await readStatus(control.store.reader)).snapshot.deployments.get('iris')?.version).toBe('1.0.0');

  const gone = await control.call('POST', '/undeploy_model', { as: 'deploy', body: { model_name: 'iris' } });
  expect(gone.body).toMatchObject({ model: 'iris', version: null, undeployed: true });
  expect((await readStatus(control.store.reader)).snapshot.deployments.size).toBe(0);
  const reloaded = await control.call('POST', '/reload_platform');
  expect(reloaded.body).toMatchObject({
    reloaded: true,
    models: 1,
    deployments: 0,
    revision: gone.body['revision'],
  });

  const events = await readHistory(control.store.reader);
  expect(events.map(({ action, by }) => `${action} ${by}`)).toEqual([
    'init test',
    'publish token:publish',
    'publish token:publish',
    'deploy token:deploy',
    'deploy token:deploy',
    'promote token:deploy',
    'scale token:deploy',
    'rollback token:deploy',
    'undeploy token:deploy',
    'undeploy token:deploy',
  ]);
  expect(events[1]?.why).toBe('a first one');
  const lines = await control.audit();
  expect(lines.map(({ path, code, model: about }) => [path, code, about])).toEqual([
    ['/register_model', 'OK', 'iris'],
    ['/register_model', 'OK', 'iris'],
    ['/deploy_model', 'OK', 'iris'],
    ['/deploy_model', 'OK', 'iris'],
    ['/promote_canary', 'OK', 'iris'],
    ['/scale_deployment', 'OK', 'iris'],
    ['/rollback', 'OK', 'iris'],
    ['/undeploy_model', 'OK', 'iris'],
    ['/undeploy_model', 'OK', 'iris'],
    ['/reload_platform', 'OK', null],
  ]);
  expect(lines.map(({ revision }) => revision)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 10]);
  expect(lines[0]).toMatchObject({ token: 'publish', remote: '127.0.0.1', method: 'POST', status: 201 });
  for (const token of control.tokens.values()) {
    expect(JSON.stringify(lines) + control.log.join('')).not.toContain(token);
  }
});

test('the paths under /v1: the same life, and requests that may be sent again', async () => {
  const control = await ControlUnderTest.start();
  const file = await demoModel('1.0.0');
  const put = (body: Uint8Array): ReturnType<typeof control.call> =>
    control.call(
      'PUT',
      '/v1/models/iris/versions/1.0.0?author=ada&framework=sklearn&tag=demo&tag=tabular&metric=accuracy=0.96',
      { as: 'publish', headers: { 'content-type': 'application/octet-stream' }, body },
    );
  const published = await put(file);
  expect(published.status).toBe(201);
  expect(published.headers.get('x-tidegate-changed')).toBe('true');
  expect(published.body).toMatchObject({
    tags: ['demo', 'tabular'],
    metrics: { accuracy: 0.96 },
    size_bytes: file.length,
  });
  const again = await put(file);
  expect([again.status, again.body]).toEqual([201, published.body]);
  expect(again.headers.get('x-tidegate-changed')).toBe('false');
  const other = await put(await demoModel('2.0.0'));
  expect([other.status, other.body['code']]).toEqual([409, 'DUPLICATE_VERSION']);
  await control.call('PUT', '/v1/models/iris/versions/2.0.0', {
    as: 'publish',
    headers: {
      'x-model-metadata': JSON.stringify({ author: 'ada', description: 'schöner' }).replace('ö', '\\u00f6'),
    },
    body: await demoModel('2.0.0'),
  });

  const deploy = (body: Record<string, unknown>): ReturnType<typeof control.call> =>
    control.call('PUT', '/v1/deployments/iris', { as: 'deploy', body });
  const live = await deploy({ version: '1.0.0' });
  const same = await deploy({ version: '1.0.0' });
  expect([same.status, same.body]).toEqual([live.status, live.body]);
  expect(same.headers.get('x-tidegate-changed')).toBe('false');
  const steps = [{ percentage: 1, hold_seconds: 60 }, { percentage: 12.5 }, { percentage: 100 }];
  const stepped = await deploy({ version: '2.0.0', steps });
  expect(stepped.body).toMatchObject({
    candidate_version: '2.0.0',
    canary_traffic_percentage: 1,
    plan: { steps: [{ traffic_bps: 100, hold_ms: 60_000 }, { traffic_bps: 1250 }, { traffic_bps: 10_000 }] },
  });
  const move = (name: string, body?: Record<string, unknown>): ReturnType<typeof control.call> =>
    control.call('POST', `/v1/deployments/iris/${name}`, { as: 'deploy', ...(body && { body }) });
  expect((await move('pause')).body['plan']).toMatchObject({ paused: true });
  expect((await move('resume')).body['plan']).toMatchObject({ paused: false });
  expect((await move('approve')).body['plan']).toMatchObject({ approvals: 1 });
  expect((await move('abort')).body).toMatchObject({ version: '1.0.0', candidate_version: null });
  const judged = { auto_promote_after_seconds: 600, watch_seconds: 60 };
  const beside = await deploy({ version: '2.0.0', strategy: 'blue-green', ...judged });
  expect(beside.body['flip']).toEqual({ auto_after_ms: 600_000, preview_requests_min: 20, watch_ms: 60_000 });
  expect(await control.refusal('POST', '/v1/deployments/iris/promote', { body: { version: '3' } })).toEqual([
    409,
    'CANDIDATE_CHANGED',
  ]);
  const promoted = await move('promote', { version: '2.0.0', watch_seconds: 30 });
  expect(promoted.body['watch']).toMatchObject({ watch_ms: 30_000 });
  expect((await move('promote', { version: '2.0.0' })).body).toEqual(promoted.body);
  const patched = await control.call('PATCH', '/v1/deployments/iris', { body: { cpu_limit: '1500m' } });
  expect(patched.body).toMatchObject({ version: '2.0.0', cpu_limit: 1.5 });

  const shown = await control.call('GET', '/v1/deployments/iris', { as: 'read' });
  expect(shown.body).toEqual(patched.body);
  const history = await control.call('GET', '/v1/history?model=iris&limit=2', { as: 'read' });
  expect(history.body['events']).toMatchObject([{ action: 'promote' }, { action: 'scale' }]);
  const filtered = await control.call('GET', '/v1/models?tag=demo', { as: 'read' });
  expect(filtered.body['models']).toMatchObject([{ version: '1.0.0' }]);
  const version = await control.call('GET', '/v1/models/iris/versions/2.0.0', { as: 'read' });
  expect(version.body).toMatchObject({ description: 'schöner', deployed_as: 'live' });
  const revision = Number(live.body['revision']);
  const back = await control.call('POST', '/v1/rollback', { body: { to_revision: revision } });
  expect(back.body).toMatchObject({ to_revision: revision, model: null });
  expect((await control.call('GET', '/v1/deployments/iris')).body).toMatchObject({ version: '1.0.0' });
  const gone = await control.call('DELETE', '/v1/deployments/iris?why=holidays', { as: 'deploy' });
  expect(gone.body).toMatchObject({ undeployed: true });
  expect(await control.refusal('DELETE', '/v1/deployments/iris')).toEqual([404, 'NOT_DEPLOYED']);
  expect((await control.call('GET', '/v1/history?limit=1')).body['events']).toMatchObject([
    { why: 'holidays' },
  ]);
});

describe('a model is sent', () => {
  test('as a form', async () => {
    const control = await ControlUnderTest.start();
    const form = new FormData();
    form.set('metadata', JSON.stringify({ name: 'iris', version: '1.0.0', author: 'ada' }));
    form.set('artifact', new Blob([new Uint8Array(await demoModel('1.0.0'))]), 'iris.onnx');
    const encoded = new Response(form);
    const contentType = encoded.headers.get('content-type') ?? '';
    const body = new Uint8Array(await encoded.arrayBuffer());
    const sent = { as: 'publish' as const, headers: { 'content-type': contentType }, body };
    expect((await control.call('POST', '/v1/models', sent)).body).toMatchObject({ name: 'iris' });
    expect(await control.refusal('POST', '/v1/models', sent)).toEqual([409, 'DUPLICATE_VERSION']);
  });

  test('with state, which the answer shows', async () => {
    const control = await ControlUnderTest.start();
    const path = '/v1/models/sum/versions/1?author=ada&state=sum=next,-1x2';
    const upload = { headers: { 'content-type': 'application/octet-stream' }, body: sumModel() };
    const { status, body } = await control.call('PUT', path, upload);
    expect(status).toBe(201);
    expect(body).toMatchObject({ state: [{ input: 'sum', output: 'next', shape: [-1, 2] }] });
    // The same again is no conflict, the same without state is.
    expect((await control.call('PUT', path, upload)).status).toBe(201);
    const without = path.replace('&state=sum=next,-1x2', '');
    expect(await control.refusal('PUT', without, upload)).toEqual([409, 'DUPLICATE_VERSION']);
  });

  test('with a fixed batch, which is part of what may not change', async () => {
    const control = await ControlUnderTest.start();
    const path = '/v1/models/fixed/versions/1?author=ada&fixed_batch=true';
    const upload = { headers: { 'content-type': 'application/octet-stream' }, body: fixedBatchModel(8) };
    const { status, body } = await control.call('PUT', path, upload);
    expect(status).toBe(201);
    expect(body).toMatchObject({ signature: { batching: 'none', fixed_rows: 8 } });
    expect((await control.call('PUT', path, upload)).status).toBe(201);
    const without = path.replace('&fixed_batch=true', '');
    expect(await control.refusal('PUT', without, upload)).toEqual([409, 'DUPLICATE_VERSION']);
  });

  test('as it is', async () => {
    const control = await ControlUnderTest.start();
    const { status } = await control.call('POST', '/register_model?name=iris&version=1&author=ada', {
      headers: { 'content-type': 'application/octet-stream' },
      body: await demoModel('1.0.0'),
    });
    expect(status).toBe(201);
  });
});

test('a deployment with models before and after it, which the answers name with their digests', async () => {
  const control = await ControlUnderTest.start();
  const headers = { 'content-type': 'application/octet-stream' };
  const digests = new Map<string, unknown>();
  for (const [name, a] of [
    ['m', 1],
    ['half', 0.5],
    ['third', 1 / 3],
  ] as const) {
    const path = `/v1/models/${name}/versions/1?author=ada`;
    const { body } = await control.call('PUT', path, { headers, body: linearModel({ a, b: 0 }) });
    digests.set(name, body['sha256']);
  }
  const deploy = (pipeline?: object): ReturnType<typeof control.call> =>
    control.call('PUT', '/v1/deployments/m', {
      as: 'deploy',
      body: { version: '1', ...(pipeline !== undefined && { pipeline }) },
    });
  const wires = [{ output: 'y', input: 'x' }];
  const asked = {
    before: [{ model: 'half', version: '1' }],
    after: [{ model: 'third', version: '1', wires }],
  };
  const signed = {
    before: [{ model: 'half', version: '1', sha256: digests.get('half'), wires }],
    after: [{ model: 'third', version: '1', sha256: digests.get('third'), wires }],
  };
  expect((await deploy(asked)).body).toMatchObject({ pipeline: signed, candidate_pipeline: null });
  const again = await deploy();
  expect([again.headers.get('x-tidegate-changed'), again.body['pipeline']]).toEqual(['false', signed]);
  const wrong = { before: [{ ...asked.before[0], wires: [{ output: 'z', input: 'x' }] }] };
  const refused = await deploy(wrong);
  expect([refused.status, refused.body['code']]).toEqual([422, 'PIPELINE_REFUSED']);
  expect((await control.call('GET', '/v1/deployments/m')).body).toMatchObject({ pipeline: signed });
  expect((await deploy({})).body).toMatchObject({ pipeline: null });
});
