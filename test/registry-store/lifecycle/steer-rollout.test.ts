/** A canary in steps, as it is signed: begun, held, approved, tried again, and what cannot be. */
import { describe, expect, test } from 'vitest';
import {
  abortRollout,
  approveRollout,
  deployModel,
  type DeployOptions,
  type DeployResult,
  pauseRollout,
  promoteCandidate,
  resumeRollout,
  rollbackModel,
} from '../../../registry-store/main.ts';
import { withNewIris, TemporaryStore } from '../temporary-store.ts';

type Common = TemporaryStore['publisher'] & {
  readonly nowMs: number;
  readonly actor: string;
  readonly model: string;
};

function by(store: TemporaryStore): Common {
  return { ...store.publisher, nowMs: Date.now(), actor: 'Grace', model: 'iris' };
}

const steps = [{ trafficBps: 100, holdMs: 60_000 }, { trafficBps: 2500 }, { trafficBps: 10_000 }];

function deploy(store: TemporaryStore, options: Partial<DeployOptions> = {}): Promise<DeployResult> {
  return deployModel({ ...by(store), version: '3.0.0', strategy: 'canary', steps, ...options });
}

test('the plan is signed as a whole, and read back as it was', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  const { deployment } = await deploy(store);
  expect(deployment).toMatchObject({ strategy: 'canary', trafficBps: 100 });
  expect(deployment.plan).toEqual({ steps, approvals: 0, paused: false });
  expect((await store.open()).current.deployments.get('iris')).toEqual(deployment);
});

test('it is paused, resumed and approved; saying the same again signs nothing', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  await deploy(store);
  expect((await pauseRollout(by(store))).deployment.plan).toMatchObject({ paused: true });
  expect(await pauseRollout(by(store))).toMatchObject({ changed: false });
  expect((await resumeRollout(by(store))).deployment.plan).toMatchObject({ paused: false });
  expect((await approveRollout(by(store))).deployment.plan).toMatchObject({ approvals: 1 });
  // The last step leads nowhere, so nothing waits there.
  await expect(approveRollout(by(store))).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
});

test.each([pauseRollout, resumeRollout, approveRollout])('without a plan, %o is refused', async (change) => {
  const store = await TemporaryStore.makeAs(withNewIris);
  await expect(change(by(store))).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
});

test('promoting and dropping both end the plan', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  await deploy(store);
  expect((await rollbackModel(by(store))).deployment).not.toHaveProperty('plan');
  await deploy(store);
  const { deployment } = await promoteCandidate(by(store));
  expect(deployment).toMatchObject({ version: '3.0.0', strategy: 'all' });
  expect(deployment).not.toHaveProperty('plan');
  expect(deployment).not.toHaveProperty('rolloutId');
});

test('aborting drops the candidate, and never the live version', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  const before = (await store.open()).current.deployments.get('iris');
  await deploy(store);
  expect((await abortRollout(by(store))).deployment).toEqual(before);
  await expect(abortRollout(by(store))).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
  expect((await store.open()).current.deployments.get('iris')).toEqual(before);
});

test('another way for the same candidate is the same rollout, a second try is another', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  const first = (await deploy(store)).deployment.rolloutId;
  expect(first).toMatch(/^iris:[0-9a-f]{8}$/);
  const share = { trafficBps: 500 } as const;
  const { model } = by(store);
  const again = await deployModel({ ...by(store), model, version: '3.0.0', strategy: 'canary', ...share });
  expect(again.deployment.rolloutId).toBe(first);
  await rollbackModel(by(store));
  expect((await deploy(store)).deployment.rolloutId).not.toBe(first);
});

test('saying the same steps again signs nothing, and neither resumes nor takes an approval back', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  await deploy(store);
  await approveRollout(by(store));
  const { deployment } = await pauseRollout(by(store));
  expect(await deploy(store)).toMatchObject({ changed: false, deployment });
  const [first = { trafficBps: 1 }, ...others] = steps;
  const other = await deploy(store, { steps: [{ ...first, holdMs: 90_000 }, ...others] });
  expect(other.deployment.plan).toMatchObject({ approvals: 0, paused: false });
});

describe('steps that cannot be are refused:', () => {
  test.each<[string, Partial<DeployOptions>]>([
    ['none', { steps: [] }],
    ['falling', { steps: [{ trafficBps: 500 }, { trafficBps: 100 }] }],
    ['equal', { steps: [{ trafficBps: 500 }, { trafficBps: 500 }] }],
    ['above all', { steps: [{ trafficBps: 10_001 }] }],
    ['of nothing', { steps: [{ trafficBps: 0 }] }],
    ['held too short', { steps: [{ trafficBps: 1, holdMs: 999 }] }],
    ['too many', { steps: Array.from({ length: 21 }, (_, index) => ({ trafficBps: index + 1 })) }],
    ['and a share of their own', { trafficBps: 100 }],
    ['of another strategy', { strategy: 'rolling' }],
    ['judged by what cannot be', { analysis: { callersMin: -1 } }],
  ])('%s', async (_, options) => {
    const store = await TemporaryStore.makeAs(withNewIris);
    await expect(deploy(store, options)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
    expect((await store.open()).current.deployments.get('iris')).not.toHaveProperty('candidate');
  });
});

test('a rolling is signed with the shares of its replicas and with what it is judged by', async () => {
  const store = await TemporaryStore.makeAs(withNewIris);
  const { deployment } = await deployModel({
    ...by(store),
    version: '3.0.0',
    strategy: 'rolling',
    resources: { replicas: 2 },
    bakeMs: 60_000,
    analysis: { gates: { latency: { action: 'pause', toleratedPercent: 200 } } },
  });
  expect(deployment).toMatchObject({
    strategy: 'rolling',
    plan: { steps: [{ trafficBps: 5000 }, { trafficBps: 10_000 }], bakeMs: 60_000 },
    analysis: { gates: { latency: { action: 'pause', toleratedPercent: 200 } } },
  });
  expect((await store.open()).current.deployments.get('iris')).toEqual(deployment);
  const blueGreen = { ...by(store), version: '3.0.0', strategy: 'blue_green', analysis: {} } as const;
  await expect(deployModel(blueGreen)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
});
