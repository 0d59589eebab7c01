/** Several candidates of one canary, as they are signed: begun, changed, dropped one by one, promoted, and what cannot be. */
import { beforeEach, expect, test } from 'vitest';
import {
  deployModel,
  type DeployOptions,
  type DeployResult,
  moveStage,
  promoteCandidate,
  rollbackTo,
  undeployModel,
} from '../../../registry-store/main.ts';
import { withNewIris, TemporaryStore } from '../temporary-store.ts';

let store: TemporaryStore;
let common: TemporaryStore['publisher'] & {
  readonly nowMs: number;
  readonly actor: string;
  readonly model: string;
};

/** iris 2.0.0 is live; 3.0.0, 4.0.0 and 5.0.0 are new. */
async function withSeveralNew(empty: TemporaryStore): Promise<void> {
  await withNewIris(empty);
  for (const version of ['4.0.0', '5.0.0']) await empty.publish('iris', version);
}

beforeEach(async () => {
  store = await TemporaryStore.makeAs(withSeveralNew);
  common = { ...store.publisher, nowMs: Date.now(), actor: 'Grace', model: 'iris' };
});

const four = { version: '4.0.0', trafficBps: 1000 };

function begin(options: Partial<DeployOptions> = {}): Promise<DeployResult> {
  return deployModel({
    ...common,
    version: '3.0.0',
    strategy: 'canary',
    trafficBps: 500,
    others: [four],
    ...options,
  });
}

test('each has a share and an id of its own, and all is read back as it was signed', async () => {
  const { deployment } = await begin();
  expect(deployment).toMatchObject({ version: '2.0.0', candidate: { version: '3.0.0' }, trafficBps: 500 });
  expect(deployment.others).toMatchObject([four]);
  expect(deployment.others?.[0]?.rolloutId).not.toBe(deployment.rolloutId);
  expect(deployment.layout).toEqual({ salt: deployment.rolloutId, ramps: [] });
  expect((await store.open()).current.deployments.get('iris')).toEqual(deployment);
  expect((await begin()).changed).toBe(false);
});

test('other shares are the same rollouts, and what they were is remembered', async () => {
  const { deployment: before } = await begin();
  const { deployment } = await begin({ trafficBps: 2000 });
  const [first, second] = [before.rolloutId, before.others?.[0]?.rolloutId];
  expect([deployment.rolloutId, deployment.others?.[0]?.rolloutId]).toEqual([first, second]);
  const ramp = [
    { rolloutId: first, trafficBps: 500 },
    { rolloutId: second, trafficBps: 1000 },
  ];
  expect(deployment.layout).toEqual({ salt: first, ramps: [ramp] });
  const { deployment: three } = await begin({ others: [four, { version: '5.0.0', trafficBps: 100 }] });
  expect(three.layout?.ramps).toHaveLength(2);
});

test('one is dropped alone, also the first; with the last the rollout is over', async () => {
  const { deployment: before } = await begin();
  const { deployment } = await undeployModel({ ...common, version: '3.0.0' });
  expect(deployment).toMatchObject({ version: '2.0.0', candidate: { version: '4.0.0' }, trafficBps: 1000 });
  expect(deployment?.others).toBeUndefined();
  expect([deployment?.rolloutId, deployment?.layout?.salt]).toEqual([
    before.others?.[0]?.rolloutId,
    before.rolloutId,
  ]);
  const last = await undeployModel({ ...common, version: '4.0.0' });
  expect(last.deployment).toMatchObject({ version: '2.0.0', strategy: 'all' });
});

test('one of them is promoted by its name, and watched by its own id', async () => {
  const { deployment: before } = await begin();
  await expect(promoteCandidate(common)).rejects.toMatchObject({ code: 'INVALID_STRATEGY' });
  await expect(promoteCandidate({ ...common, version: '5.0.0' })).rejects.toMatchObject({
    code: 'INVALID_STRATEGY',
  });
  const { deployment } = await promoteCandidate({ ...common, version: '4.0.0', watchMs: 60_000 });
  expect(deployment).toMatchObject({ version: '4.0.0', previousVersion: '2.0.0', strategy: 'all' });
  expect(deployment.watch?.rolloutId).toBe(before.others?.[0]?.rolloutId);
  expect(deployment.others).toBeUndefined();
});

test('a candidate is not archived, and comes back with its revision', async () => {
  const { revision } = await begin();
  const archive = moveStage({ ...common, version: '4.0.0', to: 'archived' });
  await expect(archive).rejects.toMatchObject({ code: 'VERSION_IN_USE' });
  const { deployment } = await promoteCandidate({ ...common, version: '3.0.0' });
  expect(deployment.version).toBe('3.0.0');
  const { snapshot } = await rollbackTo({ ...common, revision });
  expect(snapshot.deployments.get('iris')?.others).toMatchObject([four]);
});

test.each<[string, Partial<DeployOptions>]>([
  ['more than all keys', { trafficBps: 9500 }],
  ['the same version twice', { others: [four, four] }],
  ['five candidates', { others: ['a', 'b', 'c', 'd'].map((version) => ({ version, trafficBps: 1 })) }],
  ['half a hundredth of a percent', { others: [{ ...four, trafficBps: 0.5 }] }],
  ['the live version', { others: [{ version: '2.0.0', trafficBps: 100 }] }],
  ['several in steps', { trafficBps: undefined as never, steps: [{ trafficBps: 100 }] }],
  ['several of a shadow', { strategy: 'shadow' }],
])('%s is refused', async (_, options) => {
  const asked = { ...options };
  if (asked.steps !== undefined) delete (asked as { trafficBps?: number }).trafficBps;
  const begun = deployModel({
    ...{ ...common, version: '3.0.0', strategy: 'canary', others: [four] },
    ...(asked.steps === undefined && { trafficBps: 500 }),
    ...asked,
  });
  await expect(begun).rejects.toMatchObject({
    code: expect.stringMatching(/INVALID_STRATEGY|UNKNOWN_VERSION/) as unknown,
  });
});
