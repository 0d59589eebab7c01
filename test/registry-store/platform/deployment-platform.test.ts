/** The classes for pipelines on a real store: the same rules and the same store as the command line has. */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  DeploymentPlatform,
  DeploymentStrategy,
  Model,
  ModelMetadata,
  ModelRegistry,
  type SignerProvider,
  StoreError,
} from '../../../registry-store/main.ts';
import { KeyFolderSigners } from '../../../registry-store/lifecycle/key-folder.ts';
import { linearModel } from '../../e2e/pipeline-models.ts';
import { TemporaryStore, demoModel } from '../temporary-store.ts';

let store: TemporaryStore;
let platform: DeploymentPlatform;

function platformOf(place: TemporaryStore): DeploymentPlatform {
  return new DeploymentPlatform({ store: place.folder, keys: place.keysFolder, by: 'pipeline' });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.catch((caught: unknown) => caught);
  if (error instanceof StoreError) return error.code;
  throw new Error('not refused', { cause: error });
}

/** Revision 5: iris 2.0.0 is live, 1.0.0 the previous version. */
beforeEach(async () => {
  store = await TemporaryStore.makeWithIris();
  platform = platformOf(store);
});

describe('a registry', () => {
  test('publishes bytes or a file and finds the version again', async () => {
    const metadata = new ModelMetadata({
      name: 'rose',
      version: '1',
      author: 'Ada',
      metrics: { accuracy: 0.9 },
      tags: ['new'],
    });
    const model = await platform.registry.registerModel(metadata, await demoModel('1.0.0'), {
      why: 'nightly',
    });
    expect(model).toBeInstanceOf(Model);
    expect(model).toMatchObject({
      name: 'rose',
      version: '1',
      status: 'staged',
      metadata: { tags: ['new'] },
    });
    const file = new URL('../../../deploy/demo/models/iris-2.0.0.onnx', import.meta.url);
    const second = await platform.registry.registerModel(
      { name: 'rose', version: '2', author: 'Ada' },
      file,
      {
        stage: 'training',
      },
    );
    expect(second.status).toBe('training');
    expect(second.sha256).not.toBe(model.sha256);
    const found = await platform.registry.getModel('rose', '1');
    expect(found).toMatchObject({ sha256: model.sha256, metadata: { metrics: { accuracy: 0.9 } } });
    expect((await platform.registry.getModel('rose')).version).toBe('2');
    const [event] = await platform.registry.history({ model: 'rose', limit: 1 });
    expect(event).toMatchObject({ revision: 7, by: 'pipeline', action: 'publish' });
  });

  test('lists by name, status and tag', async () => {
    await platform.registry.registerModel(
      { name: 'rose', version: '1', author: 'Ada', tags: ['new'] },
      await demoModel('1.0.0'),
      { stage: 'training' },
    );
    const names = async (...args: Parameters<ModelRegistry['listModels']>): Promise<readonly string[]> =>
      (await platform.registry.listModels(...args)).map(({ name, version }) => `${name} ${version}`);
    expect(await names()).toEqual(['iris 1.0.0', 'iris 2.0.0', 'rose 1']);
    expect(await names({ name: 'iris' })).toEqual(['iris 1.0.0', 'iris 2.0.0']);
    expect(await names({ status: 'training' })).toEqual(['rose 1']);
    expect(await names({ tag: 'new' })).toEqual(['rose 1']);
    expect(await names({ tag: 'old' })).toEqual([]);
  });

  test('refuses what the store refuses', async () => {
    const { registry } = platform;
    const iris = { name: 'iris', version: '1.0.0', author: 'Ada' };
    expect(await codeOf(registry.registerModel(iris, await demoModel('1.0.0')))).toBe('DUPLICATE_VERSION');
    expect(await codeOf(registry.registerModel({ ...iris, version: '9' }, Buffer.from('junk')))).toBe(
      'MODEL_REFUSED',
    );
    expect(await codeOf(registry.registerModel({ ...iris, version: '9' }, '/nowhere.onnx'))).toBe(
      'FILE_UNREADABLE',
    );
    expect(await codeOf(registry.registerModel({ ...iris, name: '-' }, Buffer.from('')))).toBe(
      'INVALID_ARGUMENT',
    );
    expect(await codeOf(registry.getModel('tulip'))).toBe('UNKNOWN_MODEL');
    expect(await codeOf(registry.getModel('iris', '9'))).toBe('UNKNOWN_VERSION');
  });

  test('stands on its own', async () => {
    const registry = new ModelRegistry({ store: store.folder, keys: [store.keysFolder] });
    expect(await registry.listModels()).toHaveLength(2);
    expect(() => new ModelRegistry({ store: store.folder, keys: [] })).toThrow(/keys names no folder/);
  });
});

describe('a model', () => {
  test('moves along its life and remembers where it is', async () => {
    const model = await platform.registry.getModel('iris', '1.0.0');
    expect(model.status).toBe('staged');
    expect((await model.promoteToProduction({ why: 'good' })).status).toBe('production');
    expect((await model.archive()).status).toBe('archived');
    expect(await codeOf(model.promoteToProduction())).toBe('ILLEGAL_MOVE');
    expect(model.status).toBe('archived');
    expect((await model.promoteToStaging()).status).toBe('staged');
    expect((await platform.registry.getModel('iris', '1.0.0')).status).toBe('staged');
  });

  test('that is live is not archived', async () => {
    const model = await platform.registry.getModel('iris', '2.0.0');
    expect(await codeOf(model.archive())).toBe('VERSION_IN_USE');
  });

  test('tells its own history and not that of its neighbours', async () => {
    const model = await platform.registry.getModel('iris', '1.0.0');
    await model.promoteToProduction({ by: 'Ada', why: 'good' });
    const history = await model.deploymentHistory();
    expect(history.map(({ revision, action }) => `${revision} ${action}`)).toEqual([
      '2 publish',
      '3 deploy',
      '5 deploy',
      '6 stage',
    ]);
    expect(history.at(-1)).toMatchObject({
      by: 'Ada',
      why: 'good',
      changes: [{ from: 'staged', to: 'production' }],
    });
  });
});

describe('a platform', () => {
  test('switches at once by default and tells what is deployed', async () => {
    expect(await platform.deployModel('iris', '1.0.0', {}, { why: 'back' })).toMatchObject({
      model: 'iris',
      version: '1.0.0',
      previousVersion: '2.0.0',
      strategy: DeploymentStrategy.IMMEDIATE,
      autoScaling: false,
    });
    expect(await platform.getDeploymentInfo('iris')).toMatchObject({ version: '1.0.0' });
    expect(await codeOf(platform.getDeploymentInfo('tulip'))).toBe('UNKNOWN_MODEL');
  });

  test('stands a canary beside the live version and promotes it', async () => {
    const canary = { strategy: DeploymentStrategy.CANARY, canaryTrafficPercentage: 12.5, replicas: 2 };
    expect(await platform.deployModel('iris', '1.0.0', canary)).toMatchObject({
      version: '2.0.0',
      strategy: 'canary',
      candidateVersion: '1.0.0',
      canaryTrafficPercentage: 12.5,
      replicas: 2,
    });
    const promoted = await platform.promoteCanaryToProduction('iris', { why: 'no complaints' });
    expect(promoted).toMatchObject({
      version: '1.0.0',
      previousVersion: '2.0.0',
      strategy: 'all',
      replicas: 2,
    });
    expect(promoted.candidateVersion).toBeUndefined();
    expect(await codeOf(platform.promoteCanaryToProduction('iris'))).toBe('INVALID_STRATEGY');
  });

  test('has a first deployment that has nothing to stand beside', async () => {
    await platform.undeployModel('iris');
    expect(await platform.getDeploymentInfo('iris')).toBeUndefined();
    const { CANARY, SHADOW, BLUE_GREEN, ROLLING } = DeploymentStrategy;
    for (const strategy of [CANARY, SHADOW]) {
      expect(await codeOf(platform.deployModel('iris', '2.0.0', { strategy }))).toBe('INVALID_STRATEGY');
    }
    for (const strategy of [BLUE_GREEN, ROLLING]) {
      const info = await platform.deployModel('iris', '2.0.0', { strategy });
      expect(info).toMatchObject({ version: '2.0.0', strategy: 'all' });
      await platform.undeployModel('iris');
    }
  });

  test('takes one version out of service, and with the last one the model', async () => {
    const previous = await platform.registry.getModel('iris', '1.0.0');
    const left = await platform.undeployModel('iris', { version: '1.0.0', why: 'nobody goes back' });
    expect(left).toMatchObject({ version: '2.0.0', strategy: 'all' });
    expect(left?.previousVersion).toBeUndefined();
    expect((await previous.deploymentHistory()).at(-1)).toMatchObject({
      action: 'undeploy',
      by: 'pipeline',
      why: 'nobody goes back',
    });
    expect(await codeOf(platform.undeployModel('iris', { version: '1.0.0' }))).toBe('NOT_DEPLOYED');
    expect(await platform.undeployModel('iris', { version: '2.0.0' })).toBeUndefined();
    expect((await platform.registry.listModels()).map(({ status }) => status)).toEqual(['staged', 'staged']);
  });

  test('scales, and changes only what is named', async () => {
    expect(await platform.scaleDeployment('iris', 3)).toMatchObject({ replicas: 3 });
    const scaled = await platform.scaleDeployment('iris', { cpuLimit: '1500m', memoryLimit: '1Gi' });
    expect(scaled).toMatchObject({ replicas: 3, cpuLimit: 1.5, memoryLimit: 1024 ** 3 });
    const [batching, cache] = [
      { rowsMax: 8, allowedRows: [1, 8] },
      { enabled: true, ttlMs: 60_000 },
    ];
    expect(await platform.scaleDeployment('iris', { batching, cache })).toMatchObject({ batching, cache });
    expect(await platform.scaleDeployment('iris', { cache: { enabled: false } })).toMatchObject({
      batching,
      cache: { enabled: false, ttlMs: 60_000 },
    });
    expect(await codeOf(platform.scaleDeployment('iris', { batching: { weight: 0 } }))).toBe(
      'INVALID_ARGUMENT',
    );
    expect(await codeOf(platform.scaleDeployment('iris', { cache: { ttlMs: -1 } }))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(platform.scaleDeployment('iris', {}))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(platform.scaleDeployment('iris', 0))).toBe('INVALID_ARGUMENT');
    await platform.undeployModel('iris');
    expect(await codeOf(platform.scaleDeployment('iris', 2))).toBe('NOT_DEPLOYED');
  });

  test('signs with whatever stands behind the signers it is given', async () => {
    const files = new KeyFolderSigners({ keysFolders: [store.keysFolder] });
    const asked: string[] = [];
    const signers: SignerProvider = {
      signersFor: (keys) => {
        asked.push(keys.role);
        return files.signersFor(keys);
      },
    };
    // A folder with the root of trust and no key in it.
    const home = join(store.base, 'no-keys');
    await mkdir(home);
    await copyFile(store.pinnedRootPath, join(home, 'root.json'));
    const serviced = new DeploymentPlatform({ store: store.folder, keys: home, signers });
    expect(await serviced.deployModel('iris', '1.0.0')).toMatchObject({ version: '1.0.0' });
    expect(asked).toEqual(expect.arrayContaining(['deployments', 'snapshot', 'timestamp']));
    const keyless = new DeploymentPlatform({ store: store.folder, keys: home });
    expect(await codeOf(keyless.deployModel('iris', '2.0.0'))).toBe('KEY_MISSING');
  });

  test('loads the whole state, verified', async () => {
    const state = await platform.loadState();
    expect(state).toMatchObject({ revision: 5, lastDeploymentChange: { by: 'test', why: 'a test' } });
    expect(state.models.map(({ version }) => version)).toEqual(['1.0.0', '2.0.0']);
    expect(state.deployments.get('iris')).toMatchObject({ version: '2.0.0', previousVersion: '1.0.0' });
    expect(state.roles[0]?.role).toBe('root');
    await store.write('metadata/timestamp.json', Buffer.from('{}'));
    expect(await codeOf(platform.loadState())).toBe('STORE_REFUSED');
    const nowhere = new DeploymentPlatform({ store: join(store.base, 'no'), keys: store.keysFolder });
    expect(await codeOf(nowhere.loadState())).toBe('STORE_MISSING');
  });
});

describe('calls at the same time', () => {
  test('through one platform wait for each other and happen in the order asked for', async () => {
    const artifact = await demoModel('1.0.0');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all([
      ...names.map((version) =>
        platform.registry.registerModel({ name: 'rose', version, author: 'x' }, artifact),
      ),
      ...names.map((version) => platform.deployModel('rose', version)),
      platform.scaleDeployment('rose', 4),
    ]);
    const { revision, deployments } = await platform.loadState();
    expect(revision).toBe(5 + 2 * names.length + 1);
    expect(deployments.get('rose')).toMatchObject({ version: 'f', previousVersion: 'e', replicas: 4 });
  });

  test('a call that fails does not stop those behind it', async () => {
    const [failed, done] = await Promise.allSettled([
      platform.deployModel('iris', '9'),
      platform.deployModel('iris', '1.0.0'),
    ]);
    expect([failed.status, done.status]).toEqual(['rejected', 'fulfilled']);
  });

  test('through two platforms lose no update', async () => {
    const other = platformOf(store);
    const artifact = await demoModel('1.0.0');
    await Promise.all(
      [platform, other].flatMap((one, index) =>
        ['1', '2', '3'].map((version) =>
          one.registry.registerModel({ name: `rose-${index}`, version, author: 'x' }, artifact),
        ),
      ),
    );
    expect(await platform.registry.listModels()).toHaveLength(8);
    expect((await platform.loadState()).revision).toBe(11);
  });

  test('a call given up before its turn changes nothing', async () => {
    const controller = new AbortController();
    const first = platform.deployModel('iris', '1.0.0');
    const second = platform.deployModel('iris', '2.0.0', {}, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await first;
    await expect(second).rejects.toThrow('enough');
    expect(await platform.getDeploymentInfo('iris')).toMatchObject({ version: '1.0.0' });
  });
});

test('a pipeline is deployed with a version, stays with those that follow, and ends with empty lists', async () => {
  const register = (name: string, version: string, b: number): Promise<Model> =>
    platform.registry.registerModel({ name, version, author: 'Ada' }, linearModel({ a: 2, b }));
  const { sha256 } = await register('double', '1', 0);
  for (const version of ['1', '2']) await register('line', version, Number(version));
  const double = { model: 'double', version: '1', wires: [{ output: 'y', input: 'x' }] };
  const info = await platform.deployModel('line', '1', { before: [double] });
  const pipeline = { before: [{ ...double, sha256 }], after: [] };
  expect(info.pipeline).toEqual(pipeline);
  const canary = { strategy: DeploymentStrategy.CANARY, after: [{ model: 'double', version: '1' }] };
  expect(await platform.deployModel('line', '2', canary)).toMatchObject({
    pipeline,
    candidatePipeline: { before: [], after: [{ ...double, sha256 }] },
  });
  expect(await platform.deployModel('line', '2')).toMatchObject({ version: '2', pipeline: { before: [] } });
  const alone = await platform.deployModel('line', '2', { before: [], after: [] });
  expect(alone).not.toHaveProperty('pipeline');
  const strange = { before: [{ model: 'iris', version: '2.0.0' }] };
  expect(await codeOf(platform.deployModel('line', '2', strange))).toBe('PIPELINE_REFUSED');
});
