/** A blue/green that nodes may flip, and the watch that its promotion leaves behind, as they are signed. */
import { beforeEach, describe, expect, test } from 'vitest';
import {
  deployModel,
  type DeployOptions,
  type DeployResult,
  promoteCandidate,
  rollbackModel,
  scaleDeployment,
  undeployModel,
} from '../../../registry-store/main.ts';
import { withNewIris, TemporaryStore } from '../temporary-store.ts';

let store: TemporaryStore;
let common: TemporaryStore['publisher'] & {
  readonly nowMs: number;
  readonly actor: string;
  readonly model: string;
};

/** iris 2.0.0 is live, 1.0.0 is kept, 3.0.0 is new. */
beforeEach(async () => {
  store = await TemporaryStore.makeAs(withNewIris);
  common = { ...store.publisher, nowMs: Date.now(), actor: 'Grace', model: 'iris' };
});

function begin(options: Partial<DeployOptions> = {}): Promise<DeployResult> {
  return deployModel({ ...common, version: '3.0.0', strategy: 'blue_green', ...options });
}

const signed = { autoPromoteAfterMs: 600_000, watchMs: 3_600_000 };
const gates = { nan: { action: 'ignore' } } as const;

test('what nodes may do is signed as a whole and read back as it was', async () => {
  const { deployment } = await begin({ ...signed, analysis: { gates } });
  expect(deployment.flip).toEqual({ autoAfterMs: 600_000, previewRequestsMin: 20, watchMs: 3_600_000 });
  expect((await store.open()).current.deployments.get('iris')).toEqual(deployment);
  expect((await begin({ ...signed })).changed).toBe(false);
});

test('the same candidate without it is the same rollout, and waits for people again', async () => {
  const { deployment: before } = await begin({ ...signed });
  const { deployment } = await begin();
  expect([deployment.rolloutId, deployment.flip]).toEqual([before.rolloutId, undefined]);
});

describe('a promotion', () => {
  test('is watched as long as was signed, and judged alike', async () => {
    const { deployment: before } = await begin({ ...signed, analysis: { gates } });
    const { deployment } = await promoteCandidate(common);
    const { rolloutId } = before;
    expect(deployment).toMatchObject({ version: '3.0.0', previousVersion: '2.0.0', strategy: 'all' });
    expect([deployment.watch, deployment.analysis]).toEqual([{ rolloutId, watchMs: 3_600_000 }, { gates }]);
  });

  test.each([
    [0, undefined],
    [60_000, 60_000],
  ])('with another time, %i, is watched as that says', async (watchMs, expected) => {
    await begin({ ...signed, analysis: { gates } });
    const { deployment } = await promoteCandidate({ ...common, watchMs });
    expect(deployment.watch?.watchMs).toBe(expected);
    expect(deployment.analysis).toEqual(expected === undefined ? undefined : { gates });
  });

  test('of a canary is watched only when somebody says so', async () => {
    await begin({ strategy: 'canary', trafficBps: 1000 });
    expect((await promoteCandidate({ ...common, watchMs: 60_000 })).deployment.watch?.watchMs).toBe(60_000);
    await deployModel({ ...common, version: '2.0.0', strategy: 'canary', trafficBps: 1000 });
    expect((await promoteCandidate(common)).deployment.watch).toBeUndefined();
  });

  test('goes on to be watched when it is scaled or deployed again; going back and letting the old one go end it', async () => {
    await begin({ ...signed });
    const { watch } = (await promoteCandidate(common)).deployment;
    expect((await scaleDeployment({ ...common, resources: { replicas: 2 } })).deployment.watch).toEqual(
      watch,
    );
    expect((await deployModel({ ...common, version: '3.0.0' })).deployment.watch).toEqual(watch);
    const back = (await rollbackModel(common)).deployment;
    expect([back.version, back.watch]).toEqual(['2.0.0', undefined]);
    await begin({ ...signed, analysis: { gates } });
    await promoteCandidate(common);
    const { deployment } = await undeployModel({ ...common, version: '2.0.0' });
    expect([deployment?.version, deployment?.watch, deployment?.analysis]).toEqual([
      '3.0.0',
      undefined,
      undefined,
    ]);
  });

  test.each([999, 1.5, 1e12])('is not watched for %d ms', async (watchMs) => {
    await begin();
    await expect(promoteCandidate({ ...common, watchMs })).rejects.toMatchObject({
      code: 'INVALID_STRATEGY',
    });
  });
});

test.each<[string, Partial<DeployOptions>]>([
  ['a flip of a canary', { strategy: 'canary', trafficBps: 100, autoPromoteAfterMs: 60_000 }],
  ['a watch of what takes all traffic at once', { strategy: 'all', watchMs: 60_000 }],
  ['a flip at once', { autoPromoteAfterMs: 10 }],
  ['half a request', { previewRequestsMin: 0.5 }],
  ['no request', { previewRequestsMin: 0 }],
  ['gates where nobody judges', { analysis: { gates } }],
])('%s is refused', async (_, options) => {
  await expect(begin(options)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
});
