/** Out of service: a whole model, or one version of it, whichever place that version has. Nothing is ever archived. */
import { describe, expect, test } from 'vitest';
import {
  type DeployOptions,
  type UndeployResult,
  deployModel,
  promoteCandidate,
  readHistory,
  rollbackModel,
  scaleDeployment,
  undeployModel,
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

async function begin(
  store: TemporaryStore,
  version: string,
  strategy: Pick<DeployOptions, 'strategy' | 'trafficBps'> = { strategy: 'blue_green' },
): Promise<void> {
  await deployModel({ ...by(store), version, ...strategy });
}

function undeploy(store: TemporaryStore, version?: string): Promise<UndeployResult> {
  return undeployModel({ ...by(store), ...(version !== undefined && { version }) });
}

function stagesOf({ snapshot }: UndeployResult): readonly string[] {
  return [...(snapshot.models.get('iris')?.values() ?? [])].map(({ stage }) => stage);
}

describe('a model taken out of service', () => {
  test('has nothing live, its versions stay, and it comes back', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const result = await undeploy(store);
    expect(result).toMatchObject({ changed: true, deployment: undefined });
    expect(result.snapshot.deployments.size).toBe(0);
    expect(stagesOf(result)).toEqual(['staged', 'staged', 'staged']);
    await store.deploy('iris', '2.0.0');
    expect((await store.open()).current.deployments.get('iris')).not.toHaveProperty('previousVersion');
  });

  test('takes a rollout with it', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await begin(store, '3.0.0');
    expect((await undeploy(store)).snapshot.deployments.size).toBe(0);
  });

  test('can have nothing else done to it', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await undeploy(store);
    for (const attempt of [
      () => undeploy(store),
      () => undeploy(store, '2.0.0'),
      () => promoteCandidate(by(store)),
      () => rollbackModel(by(store)),
      () => scaleDeployment({ ...by(store), resources: { replicas: 1 } }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'NOT_DEPLOYED' });
    }
  });
});

describe('one version taken out of service', () => {
  test('is kept for going back no longer, and the live one serves on as it was', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await scaleDeployment({ ...by(store), resources: { replicas: 3 } });
    const result = await undeploy(store, '1.0.0');
    expect(result).toMatchObject({ changed: true, revision: 8 });
    expect(result.deployment).toEqual({
      model: 'iris',
      version: '2.0.0',
      sha256: expect.any(String) as unknown,
      strategy: 'all',
      resources: { replicas: 3 },
    });
    expect(stagesOf(result)).toEqual(['staged', 'staged', 'staged']);
    await expect(rollbackModel(by(store))).rejects.toMatchObject({ code: 'UNKNOWN_VERSION' });
    await store.deploy('iris', '1.0.0');
    await verifyStore(store.reader);
  });

  test('leaves a rollout beside it alone', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await begin(store, '3.0.0', { strategy: 'canary', trafficBps: 1000 });
    const before = (await store.open()).current.deployments.get('iris');
    const { previousVersion, previousSha256, ...rest } = before ?? {};
    expect([previousVersion, typeof previousSha256]).toEqual(['1.0.0', 'string']);
    expect((await undeploy(store, '1.0.0')).deployment).toEqual(rest);
  });

  test('ends the rollout of which it is the candidate', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const before = (await store.open()).current.deployments.get('iris');
    await begin(store, '3.0.0', { strategy: 'canary', trafficBps: 1000 });
    expect((await undeploy(store, '3.0.0')).deployment).toEqual(before);
  });

  test('goes from both its places, when it is the candidate and the one before', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await begin(store, '1.0.0');
    const { deployment } = await undeploy(store, '1.0.0');
    expect(deployment).toMatchObject({ version: '2.0.0', strategy: 'all' });
    expect(deployment).not.toHaveProperty('candidate');
    expect(deployment).not.toHaveProperty('previousVersion');
  });

  test('takes the model out of service when it is the live one, also with one before it', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const result = await undeploy(store, '2.0.0');
    expect(result).toMatchObject({ changed: true, deployment: undefined });
    expect(stagesOf(result)).toEqual(['staged', 'staged', 'staged']);
    const [event] = await readHistory({ ...store.reader, model: 'iris', limit: 1 });
    expect(event).toMatchObject({ action: 'undeploy', by: 'Grace', changes: [{ after: null }] });
  });
});

describe('a version that cannot go is refused, and nothing is signed:', () => {
  test.each([
    ['the live one of a rollout', '2.0.0', 'INVALID_STRATEGY'],
    ['one that is not published', '9.0.0', 'UNKNOWN_VERSION'],
    ['one that is not deployed', '4.0.0', 'NOT_DEPLOYED'],
  ])('%s', async (_, version, code) => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await store.publish('iris', '4.0.0');
    await begin(store, '3.0.0');
    await expect(undeploy(store, version)).rejects.toMatchObject({ code });
    expect((await store.open()).current.revision).toBe(8);
  });

  test('any of a model that is not there', async () => {
    const store = await TemporaryStore.makeAs(withNewIris);
    const tulip = undeployModel({ ...by(store), model: 'tulip', version: '1.0.0' });
    await expect(tulip).rejects.toMatchObject({ code: 'UNKNOWN_MODEL' });
  });
});
