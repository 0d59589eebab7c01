/** A rolling has the share of the replicas that are ready, never more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  nextReplicas,
  readyBps,
  replicasAfter,
  replicasAt,
  replicasBeside,
} from '../../../gateway/rollout/rolling-replicas.ts';
import { planOf } from '../../../registry-store/lifecycle/plan-rollout.ts';

test.each([
  [2500, 4, 1],
  [3333, 3, 1],
  [6666, 3, 2],
  [10_000, 3, 3],
  // A node with fewer threads than the deployment has replicas.
  [2500, 2, 1],
  [7500, 2, 2],
  [1, 64, 1],
])('a share of %d of %d replicas needs %d', (bps, replicas, wanted) => {
  expect(replicasAt(bps, { replicas })).toBe(wanted);
});

test.each([
  [10_000, { ready: 1, replicas: 3 }, 3333],
  [10_000, { ready: 0, replicas: 3 }, 0],
  [5000, { ready: 1, replicas: 4 }, 2500],
  [5000, { ready: 2, replicas: 4 }, 5000],
  [5000, { ready: 4, replicas: 4 }, 5000],
])('a step of %d with %j gives %d', (bps, replicas, share) => {
  expect(readyBps(bps, replicas)).toBe(share);
});

test('every step of every plan is whole when what it needs is ready, and no step goes beyond what is ready', () => {
  const plans = fc.record({
    replicas: fc.integer({ min: 1, max: 64 }),
    surge: fc.integer({ min: 1, max: 8 }),
    missing: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(plans, ({ replicas, surge, missing }) => {
      for (const { trafficBps } of planOf('rolling', { surge }, replicas)?.steps ?? []) {
        const needed = replicasAt(trafficBps, { replicas });
        expect(readyBps(trafficBps, { ready: needed, replicas })).toBe(trafficBps);
        const ready = Math.max(0, needed - missing);
        expect(readyBps(trafficBps, { ready, replicas })).toBeLessThanOrEqual((10_000 * ready) / replicas);
      }
    }),
  );
});

test.each([
  // replicas, surge, unavailable: old and new from step to step
  [
    4,
    0,
    1,
    [
      [3, 1],
      [2, 2],
      [1, 3],
      [1, 3],
    ],
  ],
  [
    4,
    1,
    1,
    [
      [3, 2],
      [1, 4],
    ],
  ],
  [
    4,
    2,
    1,
    [
      [3, 3],
      [2, 4],
    ],
  ],
  [
    2,
    0,
    1,
    [
      [1, 1],
      [1, 1],
    ],
  ],
  [
    3,
    0,
    2,
    [
      [1, 2],
      [1, 2],
    ],
  ],
])('%d replicas, %d more and %d fewer, are replaced like %j', (replicas, surge, maxUnavailable, expected) => {
  const plan = planOf('rolling', { surge, maxUnavailable }, replicas);
  const rolling = { replicas, limits: plan?.limits };
  const places = plan?.steps.map(({ trafficBps }) => {
    const fresh = replicasAt(trafficBps, rolling);
    return [replicasBeside(fresh, rolling), fresh];
  });
  expect(places).toEqual(expected);
});

test('with limits no node has more replicas than they say, nor fewer that are ready, and one of the old version stays', () => {
  const cases = fc
    .record({
      signed: fc.integer({ min: 2, max: 60 }),
      threads: fc.integer({ min: 2, max: 60 }),
      surge: fc.integer({ min: 0, max: 5 }),
      maxUnavailable: fc.integer({ min: 1, max: 5 }),
    })
    .filter(({ signed, maxUnavailable }) => maxUnavailable < signed);
  fc.assert(
    fc.property(cases, ({ signed, threads, surge, maxUnavailable }) => {
      const plan = planOf('rolling', { surge, maxUnavailable }, signed);
      const replicas = Math.min(signed, threads);
      const rolling = { replicas, limits: plan?.limits };
      let ready = 0;
      for (const { trafficBps } of plan?.steps ?? []) {
        const wanted = replicasAt(trafficBps, rolling);
        while (ready < wanted) {
          const next = nextReplicas({ wanted, loaded: ready }, ready === 0 ? undefined : plan?.limits);
          const old = replicasBeside(next, rolling);
          expect(old).toBeGreaterThanOrEqual(1);
          expect(old + next).toBeLessThanOrEqual(replicas + surge);
          // Before the new ones are there.
          if (signed / 20 <= surge + maxUnavailable || ready > 0)
            expect(old + ready).toBeGreaterThanOrEqual(replicas - maxUnavailable);
          expect(next).toBeGreaterThan(ready);
          ready = next;
        }
        expect(readyBps(trafficBps, { ...rolling, ready })).toBe(trafficBps);
      }
    }),
  );
});

test('who went back leaves the old version all its replicas, and keeps one of the new where there is room', () => {
  const at = (surge: number): readonly number[] => {
    const limits = { surge, unavailable: 1 };
    const after = replicasAfter({ limits });
    return [after, replicasBeside(after, { replicas: 4, limits })];
  };
  expect([at(0), at(1), at(3)]).toEqual([
    [0, 4],
    [1, 4],
    [1, 4],
  ]);
});
