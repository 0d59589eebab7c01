/** What is live: rollouts that are stored and not yet carried out, going back, and scaling. */
import { describe, expect, test } from 'vitest';
import {
  type DeployOptions,
  type DeployResult,
  deployModel,
  moveStage,
  promoteCandidate,
  rollbackModel,
  scaleDeployment,
  verifyStore,
} from '../../../registry-store/main.ts';
import { withNewIris, TemporaryStore } from '../temporary-store.ts';

function by(store: TemporaryStore): TemporaryStore['publisher'] & {
  readonly nowMs: number;
  readonly actor: string;
  readonly model: string;
} {
  return { ...store.publisher, nowMs: Date.now(), actor: 'Grace', model: 'iris' };
}

async function deploy(store: TemporaryStore, options: Partial<DeployOptions> = {}): Promise<DeployResult> {
  return deployModel({ ...by(store), version: '3.0.0', ...options });
}

const rollouts: readonly Partial<DeployOptions>[] = [
  { strategy: 'blue_green' },
  { strategy: 'rolling' },
  { strategy: 'canary', trafficBps: 1000 },
  { strategy: 'shadow', trafficBps: 0 },
];

describe.each(rollouts)('a rollout with $strategy', (rollout) => {
  test('puts the candidate beside the live version, which stays live', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const { deployment, changed, revision } = await deploy(store, rollout);
    expect({ changed, revision }).toEqual({ changed: true, revision: 7 });
    expect(deployment).toMatchObject({
      version: '2.0.0',
      previousVersion: '1.0.0',
      candidate: { version: '3.0.0' },
      ...rollout,
    });
    expect((await store.open()).current.deployments.get('iris')).toEqual(deployment);
  });

  test('ends with the candidate live and the old one kept', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await deploy(store, { ...rollout, resources: { replicas: 2 } });
    const { deployment } = await promoteCandidate(by(store));
    expect(deployment).toMatchObject({ version: '3.0.0', previousVersion: '2.0.0', strategy: 'all' });
    expect(deployment.resources).toEqual({ replicas: 2 });
    expect(deployment).not.toHaveProperty('candidate');
    expect(deployment).not.toHaveProperty('trafficBps');
    await verifyStore(store.reader);
  });

  test('or with the candidate dropped and everything as it was', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const before = (await store.open()).current.deployments.get('iris');
    await deploy(store, rollout);
    expect((await rollbackModel(by(store))).deployment).toEqual(before);
  });
});

describe('going back', () => {
  test('is to the version before, and back again', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    expect((await rollbackModel(by(store))).deployment).toMatchObject({
      version: '1.0.0',
      previousVersion: '2.0.0',
    });
    expect((await rollbackModel(by(store))).deployment).toMatchObject({ version: '2.0.0' });
  });

  test('is refused where there is no version before, or it is archived', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await moveStage({ ...by(store), version: '1.0.0', to: 'archived' });
    await expect(rollbackModel(by(store))).rejects.toMatchObject({ code: 'NOT_DEPLOYABLE' });
    await store.publish('tulip', '1.0.0');
    await store.deploy('tulip', '1.0.0');
    const tulip = rollbackModel({ ...by(store), model: 'tulip' });
    await expect(tulip).rejects.toMatchObject({ code: 'UNKNOWN_VERSION' });
  });
});

describe('resources', () => {
  test('are merged field by field, and kept when another version goes live', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const autoScaling = { minReplicas: 1, maxReplicas: 4, targetCpuPercent: 70 };
    await scaleDeployment({ ...by(store), resources: { replicas: 2, autoScaling } });
    await scaleDeployment({ ...by(store), resources: { replicas: 3, cpuLimitMillis: 500 } });
    const { deployment } = await deploy(store, { resources: { memoryLimitBytes: 2 ** 30 } });
    expect(deployment).toMatchObject({
      version: '3.0.0',
      resources: { replicas: 3, autoScaling, cpuLimitMillis: 500, memoryLimitBytes: 2 ** 30 },
    });
  });

  test('and batching are taken back with null, and are in the manifest no more', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const autoScaling = { minReplicas: 1, maxReplicas: 4, targetCpuPercent: 70 };
    const given = { replicas: 2, autoScaling, cpuLimitMillis: 500, memoryLimitBytes: 2 ** 30 };
    await scaleDeployment({
      ...by(store),
      resources: given,
      batching: { weight: 2, defaultTimeoutMs: 50 },
    });
    const some = { autoScaling: null, cpuLimitMillis: null };
    await scaleDeployment({ ...by(store), resources: some, batching: { defaultTimeoutMs: null } });
    const after = async (): Promise<unknown> => (await store.open()).current.deployments.get('iris');
    expect(await after()).toMatchObject({ resources: { replicas: 2, memoryLimitBytes: 2 ** 30 } });
    expect(await after()).toHaveProperty('batching', { weight: 2 });
    expect(await after()).not.toHaveProperty('resources.cpuLimitMillis');
    await scaleDeployment({ ...by(store), resources: { replicas: null, memoryLimitBytes: null } });
    expect(await after()).not.toHaveProperty('resources');
  });

  test('that are there already sign nothing', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const { revision } = await scaleDeployment({ ...by(store), resources: { replicas: 2 } });
    const again = await scaleDeployment({ ...by(store), resources: { replicas: 2 } });
    expect(again).toMatchObject({ changed: false, revision });
  });

  test.each([
    { replicas: 0 },
    { replicas: 1.5 },
    { cpuLimitMillis: -1 },
    { memoryLimitBytes: 0 },
    { autoScaling: { minReplicas: 3, maxReplicas: 2, targetCpuPercent: 50 } },
    { autoScaling: { minReplicas: 1, maxReplicas: 2, targetCpuPercent: 0 } },
  ])('that make no sense are refused: %j', async (resources) => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await expect(scaleDeployment({ ...by(store), resources })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

describe('a rollout that cannot be is refused:', () => {
  test.each([
    ['a share where nothing is divided', { strategy: 'blue_green', trafficBps: 10 }],
    ['a share for all traffic', { strategy: 'all', trafficBps: 10_000 }],
    ['a canary without a share', { strategy: 'canary' }],
    ['a share above one', { strategy: 'canary', trafficBps: 10_001 }],
    ['a share below none', { strategy: 'shadow', trafficBps: -1 }],
    ['half a basis point', { strategy: 'canary', trafficBps: 0.5 }],
    ['the live version beside itself', { strategy: 'rolling', version: '2.0.0' }],
  ] as const)('%s', async (_, options) => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await expect(deploy(store, options)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
    expect((await store.open()).current.revision).toBe(6);
  });

  test('one beside nothing, and promoting what is not there', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await expect(promoteCandidate(by(store))).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
    await store.publish('tulip', '1.0.0');
    const canary = { model: 'tulip', version: '1.0.0', strategy: 'canary', trafficBps: 10 } as const;
    await expect(deploy(store, canary)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
  });
});

test.each(['blue_green', 'rolling'] as const)(
  'the first version of a model is live at once, also with %s',
  async (strategy) => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await store.publish('tulip', '1.0.0');
    const { deployment } = await deploy(store, { model: 'tulip', version: '1.0.0', strategy });
    expect(deployment).toMatchObject({ version: '1.0.0', strategy: 'all' });
  },
);

test('deploying the live version ends a rollout, and does not forget the version before', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  await deploy(store, { strategy: 'rolling' });
  const { deployment } = await deploy(store, { version: '2.0.0' });
  expect(deployment).toMatchObject({ version: '2.0.0', previousVersion: '1.0.0', strategy: 'all' });
});
