/** On how many threads both versions of a rolling with limits are, from what is signed, remembered and loaded. */
import { beforeEach, expect, test } from 'vitest';
import type { ModelGeneration } from '../../../../gateway/dispatch/model-generation.ts';
import { RollingThreads } from '../../../../gateway/live/rollouts/rolling-threads.ts';
import { RolloutMemory } from '../../../../gateway/live/rollouts/rollout-memory.ts';
import type { Deployment, RolloutPlan } from '../../../../registry-store/main.ts';

const generation = (session: number): ModelGeneration =>
  ({ session, bytesPerReplica: 100 }) as unknown as ModelGeneration;
const [live, candidate] = [generation(1), generation(2)];

let memory: RolloutMemory;
let replicas: Map<number, number>;
let threads: number;
let affordable: number;

beforeEach(() => {
  memory = new RolloutMemory({ file: undefined, onTrouble: () => undefined });
  replicas = new Map([
    [1, 4],
    [2, 0],
  ]);
  [threads, affordable] = [4, Infinity];
});

function rolling(): RollingThreads {
  return new RollingThreads({
    pool: {
      lanes: Array.from({ length: threads }),
      replicasOf: (session: number) => replicas.get(session) ?? 0,
    } as never,
    memory,
    affordable: () => affordable,
  });
}

const steps = [2500, 5000, 7500, 10_000].map((trafficBps) => ({ trafficBps, holdMs: 1000 }));

function deployed(
  limits: RolloutPlan['limits'],
  resources: Deployment['resources'] = { replicas: 4 },
): Deployment {
  const plan = { steps, approvals: 0, paused: false, ...(limits !== undefined && { limits }) };
  return {
    ...{ model: 'm', version: '1', sha256: '', strategy: 'rolling', rolloutId: 'r' },
    ...{ candidate: { version: '2', sha256: '' }, plan, resources },
  };
}

const tight = deployed({ surge: 0, unavailable: 1 });

test('at each step the live version makes room for what comes, and no more comes at once than may be missing', () => {
  const all = steps.map((_, step) => {
    memory.setStep('r', { step, sinceMs: 0 });
    const versions = { live, candidate };
    const [fresh, old] = [rolling().ofCandidate(tight, versions), rolling().ofLive(tight, versions, true)];
    if (fresh === 'none') throw new Error('there is room');
    replicas.set(1, old?.replicas ?? 0).set(2, fresh?.replicas ?? 0);
    return [old?.replicas, fresh?.replicas, rolling().readyBps(tight, versions)];
  });
  expect(all).toEqual([
    [3, 1, 2500],
    [2, 2, 5000],
    [1, 3, 7500],
    [1, 3, 10_000],
  ]);
  // A node that was started anew goes there at once; one that serves, by what may be missing.
  memory.setStep('r', { step: 2, sinceMs: 0 });
  expect(rolling().ofCandidate(tight, {})).toEqual({ replicas: 3 });
  replicas.set(2, 1);
  expect(rolling().ofCandidate(tight, { live, candidate })).toEqual({ replicas: 2 });
});

test('a candidate that is given up, or that does not come, leaves the live version all of its replicas', () => {
  memory.add('r', 'worse');
  expect(rolling().ofCandidate(tight, { live })).toBe('none');
  expect(rolling().ofLive(tight, { live }, true)).toEqual({ replicas: 4 });
  // Not before it has left.
  replicas.set(2, 2);
  expect(rolling().ofLive(tight, { live, candidate }, true)).toEqual({ replicas: 2 });
  const roomy = deployed({ surge: 1, unavailable: 1 });
  expect(rolling().ofCandidate(roomy, { live, candidate })).toEqual({ replicas: 1 });
});

test('a node counts from the threads and the memory that it has', () => {
  threads = 2;
  expect(rolling().ofLive(tight, { live }, true)).toEqual({ replicas: 1 });
  threads = 4;
  // For three of the live version, and the candidate has one of them already.
  affordable = 2;
  replicas.set(2, 1);
  memory.setStep('r', { step: 1, sinceMs: 0 });
  expect(rolling().ofLive(tight, { live, candidate }, true)).toEqual({ replicas: 1 });
  threads = 1;
  expect(rolling().ofCandidate(tight, { live })).toBe('none');
});

test('the load moves no replicas that are counted, and without limits the live version keeps all', () => {
  const autoScaling = { minReplicas: 4, maxReplicas: 8, targetCpuPercent: 70 };
  const scaled = deployed({ surge: 0, unavailable: 1 }, { autoScaling });
  const node = rolling();
  expect(node.ofLive(scaled, { live }, true)).toEqual({ replicas: 3 });
  expect([node.isLimited('m'), node.ofSpare(scaled)]).toEqual([true, { replicas: 1 }]);
  const whole = deployed(undefined);
  expect(node.ofLive(whole, { live }, true)).toEqual({ replicas: 4 });
  expect([node.isLimited('m'), node.ofSpare(whole)]).toEqual([false, { replicas: 4 }]);
  expect(node.ofCandidate(whole, { live, candidate })).toEqual({ replicas: 1 });
});
