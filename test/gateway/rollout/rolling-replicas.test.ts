/** A rolling has the share of the replicas that are ready, never more. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readyBps, replicasAt } from '../../../gateway/rollout/rolling-replicas.ts';
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
  expect(replicasAt(bps, replicas)).toBe(wanted);
});

test.each([
  [10_000, { ready: 1, replicas: 3 }, 3333],
  [10_000, { ready: 0, replicas: 3 }, 0],
  [5000, { ready: 1, replicas: 4 }, 2500],
  [5000, { ready: 2, replicas: 4 }, 5000],
  [5000, { ready: 4, replicas: 4 }, 5000],
  [10_000, { ready: 0, replicas: 0 }, 0],
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
        const needed = replicasAt(trafficBps, replicas);
        expect(readyBps(trafficBps, { ready: needed, replicas })).toBe(trafficBps);
        const ready = Math.max(0, needed - missing);
        expect(readyBps(trafficBps, { ready, replicas })).toBeLessThanOrEqual((10_000 * ready) / replicas);
      }
    }),
  );
});
