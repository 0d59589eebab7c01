/** Pipelines as they are deployed: wired and pinned, kept while nothing else is said, given back, protected, and refused. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  abortRollout,
  deployModel,
  type DeployOptions,
  type DeployResult,
  moveStage,
  promoteCandidate,
  publishModel,
  rollbackModel,
  rollbackTo,
  type StateDeclaration,
  undeployModel,
} from '../../../registry-store/main.ts';
import { linearModel, offsetModel, scaleModel } from '../../e2e/pipeline-models.ts';
import { growingModel, growingState } from '../../e2e/stateful-models.ts';
import { all, drop, forge, put } from '../forger.ts';
import { TemporaryStore } from '../temporary-store.ts';

let store: TemporaryStore;
let template: TemporaryStore | undefined;
let common: TemporaryStore['publisher'] & { readonly nowMs: number; readonly actor: string };

async function publish(
  model: string,
  version: string,
  artifact: Uint8Array,
  state: readonly StateDeclaration[] = [],
): Promise<string> {
  const facts = { framework: 'test', author: 'test', state };
  const result = await publishModel({ ...common, ...facts, model, version, artifact });
  return result.version.artifact.sha256;
}

let half: string;
/** m 1, 2 and 3 double and add their number; `half`, `offset`, `scale` and `past` may or may not run beside them. */
beforeAll(async () => {
  template = new TemporaryStore(await mkdtemp(join(tmpdir(), 'tidegate-')));
  await template.init();
  common = { ...template.publisher, nowMs: Date.now(), actor: 'Grace' };
  for (const version of ['1', '2', '3'])
    await publish('m', version, linearModel({ a: 2, b: Number(version) }));
  half = await publish('half', '1', linearModel({ a: 0.5, b: 0 }));
  await publish('offset', '1', offsetModel());
  await publish('scale', '1', scaleModel());
  await publish('past', '1', growingModel(), growingState);
});
afterAll(() => template?.remove());
beforeEach(async () => {
  store = (await template?.copy()) ?? (await TemporaryStore.make());
  common = { ...common, ...store.publisher };
});

const before = { before: [{ model: 'half', version: '1' }] } as const;

function deploy(version: string, options: Partial<DeployOptions> = {}): Promise<DeployResult> {
  return deployModel({ ...common, model: 'm', version, ...options });
}

function halved(wires = [{ output: 'y', input: 'x' }]): object {
  return { before: [{ model: 'half', version: '1', sha256: half, wires }], after: [] };
}

describe('a pipeline', () => {
  test('is signed with digests and wires, and read back by whoever opens the store', async () => {
    const { deployment } = await deploy('1', {
      pipeline: { ...before, after: [{ model: 'offset', version: '1' }] },
    });
    expect(deployment.pipeline).toMatchObject({
      before: [{ model: 'half', sha256: half, wires: [{ output: 'y', input: 'x' }] }],
      after: [{ model: 'offset', wires: [{ output: 'y', input: 'y' }] }],
    });
    expect((await store.open()).current.deployments.get('m')).toEqual(deployment);
    const again = await deploy('1', { pipeline: { ...before, after: [{ model: 'offset', version: '1' }] } });
    expect(again.changed).toBe(false);
  });

  test('stays while nothing else is said, also for the next version, and goes when it is said', async () => {
    await deploy('1', { pipeline: before });
    expect((await deploy('1')).changed).toBe(false);
    const { deployment: second } = await deploy('2');
    expect(second).toMatchObject({ version: '2', pipeline: halved(), previousPipeline: halved() });
    const { deployment: alone, changed } = await deploy('2', { pipeline: {} });
    expect(changed).toBe(true);
    expect(alone).not.toHaveProperty('pipeline');
    expect(alone.previousPipeline).toEqual(halved());
    const { deployment: left } = await undeployModel({ ...common, model: 'm', version: '1' });
    expect(left).toEqual({ model: 'm', version: '2', sha256: alone.sha256, strategy: 'all' });
  });

  test('comes back with the version that had it', async () => {
    const { revision } = await deploy('1', { pipeline: before });
    await deploy('2', { pipeline: {} });
    const { deployment: back } = await rollbackModel({ ...common, model: 'm' });
    expect(back).toMatchObject({ version: '1', pipeline: halved() });
    expect(back).not.toHaveProperty('previousPipeline');
    await deploy('3', { pipeline: {} });
    const { snapshot } = await rollbackTo({ ...common, revision });
    expect(snapshot.deployments.get('m')).toMatchObject({ version: '1', pipeline: halved() });
  });
});

describe('a candidate', () => {
  const canary = { strategy: 'canary', trafficBps: 1000 } as const;

  test('runs through what the live version runs through, unless it is said otherwise', async () => {
    await deploy('1', { pipeline: before });
    const { deployment } = await deploy('2', { ...canary, others: [{ version: '3', trafficBps: 100 }] });
    expect(deployment).toMatchObject({
      version: '1',
      pipeline: halved(),
      candidate: { version: '2', pipeline: halved() },
      others: [{ version: '3', pipeline: halved() }],
    });
    const { deployment: promoted } = await promoteCandidate({ ...common, model: 'm', version: '3' });
    expect(promoted).toMatchObject({ version: '3', pipeline: halved(), previousPipeline: halved() });
  });

  test('may have another one: the same rollout with another share, another rollout with another pipeline', async () => {
    await deploy('1', { pipeline: before });
    const { deployment: alone } = await deploy('2', { ...canary, pipeline: {} });
    expect(alone.candidate).toEqual({ version: '2', sha256: alone.candidate?.sha256 });
    const { deployment: more } = await deploy('2', { ...canary, trafficBps: 2000 });
    expect(more.rolloutId).toBe(alone.rolloutId);
    expect(more.candidate).not.toHaveProperty('pipeline');
    const { deployment: other } = await deploy('2', { ...canary, pipeline: before });
    expect(other.rolloutId).not.toBe(alone.rolloutId);
    const { deployment: ended } = await abortRollout({ ...common, model: 'm' });
    expect(ended).toMatchObject({ version: '1', pipeline: halved(), strategy: 'all' });
  });
});

describe('what runs in a pipeline', () => {
  test('is not archived while it does, and needs no deployment of its own', async () => {
    await deploy('1', { pipeline: before });
    const archive = (): Promise<unknown> =>
      moveStage({ ...common, model: 'half', version: '1', to: 'archived' });
    await expect(archive()).rejects.toMatchObject({
      code: 'VERSION_IN_USE',
      message: expect.stringContaining('half 1 is live in the pipeline of m 1') as unknown,
    });
    await deploy('1', { pipeline: {} });
    await expect(archive()).resolves.toMatchObject({ to: 'archived' });
    await expect(deploy('1', { pipeline: before })).rejects.toMatchObject({ code: 'NOT_DEPLOYABLE' });
  });

  test('has its file at hand, or nothing is signed', async () => {
    const file = (await store.files()).find((path) => path.includes(half)) ?? '';
    await rm(store.path(file));
    await expect(deploy('1', { pipeline: before })).rejects.toMatchObject({
      code: 'STORE_REFUSED',
      check: 'file-present',
      message: expect.stringContaining('models/half/1') as unknown,
    });
    expect((await deploy('1')).changed).toBe(true);
  });

  test.each([
    ['has other bytes', 'half 1 is deployed with other bytes than published, in the pipeline of m 1'],
    ['is gone', 'half 1 is deployed but was never published, in the pipeline of m 1'],
  ])('makes the state refused when it %s', async (what, message) => {
    const { snapshot } = await deploy('1', { pipeline: before });
    const other = snapshot.models.get('offset')?.get('1')?.artifact;
    const target = ['targets', 'models/half/1/model.onnx'];
    const swap = all(
      put([...target, 'hashes'], { sha256: other?.sha256 }),
      put([...target, 'length'], other?.lengthBytes),
    );
    await forge(store, { role: 'models-half', edit: what === 'is gone' ? drop(target) : swap });
    expect(await store.refusalOf()).toMatchObject({
      check: 'deployment-manifest',
      message: expect.stringContaining(message) as unknown,
    });
  });
});

describe('refused:', () => {
  test.each<[string, string, DeployOptions['pipeline'], RegExp]>([
    [
      'a model that is not there',
      'UNKNOWN_MODEL',
      { before: [{ model: 'none', version: '1' }] },
      /no model "none"/,
    ],
    [
      'a version that is not there',
      'UNKNOWN_VERSION',
      { after: [{ model: 'half', version: '9' }] },
      /no version "9"/,
    ],
    [
      'tensors that do not fit',
      'PIPELINE_REFUSED',
      { before: [{ model: 'scale', version: '1' }] },
      /scaled of scale 1 is FP32 \[-1,1,28,28\], and the input x of m 1 takes FP32 \[-1,2\]/,
    ],
    [
      'wires that nobody can guess',
      'PIPELINE_REFUSED',
      { before: [{ model: 'offset', version: '1' }] },
      /Wire an output \(unused, sum\) to an input \(x\), as in offset@1:unused=x/,
    ],
    [
      'a model with state',
      'PIPELINE_REFUSED',
      { before: [{ model: 'past', version: '1', wires: [{ output: 'sum', input: 'x' }] }] },
      /past 1 has state/,
    ],
    [
      'more models than may be',
      'PIPELINE_REFUSED',
      { after: Array(9).fill({ model: 'half', version: '1' }) as never },
      /8 models beside the deployed one at most, not 9/,
    ],
  ])('%s', async (_, code, pipeline, message) => {
    await expect(deploy('1', { pipeline: pipeline ?? {} })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('a version that does not fit what the one before went through, with what to say instead', async () => {
    await deploy('1', { pipeline: before });
    await publish('m', '4', linearModel({ a: 1, b: 0 }, ['batch', 3]));
    await expect(deploy('4')).rejects.toMatchObject({
      code: 'PIPELINE_REFUSED',
      message: expect.stringMatching(
        /^m 4 would go on with half 1, and cannot: .*Name the models/,
      ) as unknown,
    });
  });
});
