/** The plan that follows from what an operator says: of a rolling from its replicas, of a canary from its steps. */
import { describe, expect, test } from 'vitest';
import { keptPlan, planOf, type PlanRequest } from '../../../registry-store/lifecycle/plan-rollout.ts';
import type { Deployment, RolloutPlan } from '../../../registry-store/main.ts';

function sharesOf(plan: RolloutPlan | undefined): readonly number[] {
  return plan?.steps.map(({ trafficBps }) => trafficBps) ?? [];
}

describe('a rolling', () => {
  test.each<[number | undefined, PlanRequest, readonly number[]]>([
    [4, {}, [2500, 5000, 7500, 10_000]],
    [3, {}, [3333, 6666, 10_000]],
    [5, { surge: 2 }, [4000, 8000, 10_000]],
    [1, {}, [10_000]],
    [2, { surge: 9 }, [10_000]],
    [2, { maxUnavailable: 0 }, [5000, 10_000]],
    [undefined, {}, [2500, 5000, 7500, 10_000]],
  ])('of %s replicas with %j has the shares of the replaced ones', (replicas, request, shares) => {
    const plan = planOf('rolling', request, replicas);
    expect(sharesOf(plan)).toEqual(shares);
    expect(plan?.steps.every(({ holdMs }) => holdMs === 10_000)).toBe(true);
  });

  test('that may give up replicas takes as many at a time as may come and go, and says so', () => {
    expect(planOf('rolling', { surge: 0, maxUnavailable: 1 }, 2)).toMatchObject({
      steps: [{ trafficBps: 5000 }, { trafficBps: 10_000 }],
      limits: { surge: 0, unavailable: 1 },
    });
    expect(sharesOf(planOf('rolling', { maxUnavailable: 2 }, 6))).toEqual([5000, 10_000]);
    expect(planOf('rolling', {}, 4)).not.toHaveProperty('limits');
  });

  test('of very many takes several at a time, so that the plan stays within its limit', () => {
    const plan = planOf('rolling', { holdMs: 2000 }, 1024);
    expect(plan?.steps).toHaveLength(20);
    expect(plan?.steps.at(-1)).toEqual({ trafficBps: 10_000, holdMs: 2000 });
  });
});

describe('is refused:', () => {
  const steps = [{ trafficBps: 100 }];
  test.each<[string, Parameters<typeof planOf>]>([
    ['neither a surge nor an unavailable replica', ['rolling', { surge: 0 }, 4]],
    ['the same, said', ['rolling', { surge: 0, maxUnavailable: 0 }, 4]],
    ['a replica given up of nobody knows how many', ['rolling', { maxUnavailable: 1 }, undefined]],
    ['all replicas given up', ['rolling', { maxUnavailable: 4 }, 4]],
    ['the only replica given up', ['rolling', { surge: 0, maxUnavailable: 1 }, 1]],
    ['fewer than none given up', ['rolling', { maxUnavailable: -1 }, 4]],
    ['an unavailable replica of a canary', ['canary', { steps, maxUnavailable: 0 }, 4]],
    ['half a replica', ['rolling', { surge: 1.5 }, 4]],
    ['a surge of a canary', ['canary', { steps, surge: 1 }, 4]],
    ['steps of a rolling', ['rolling', { steps }, 4]],
    ['a bake time without a plan', ['canary', { bakeMs: 5000 }, 4]],
    ['a deadline without a plan', ['blue_green', { deadlineMs: 5000 }, 4]],
    ['too short a bake time', ['canary', { steps, bakeMs: 10 }, 4]],
    ['too long a deadline', ['canary', { steps, deadlineMs: 1e12 }, 4]],
  ])('%s', (_, args) => {
    expect(() => planOf(...args)).toThrow(expect.objectContaining({ code: 'INVALID_STRATEGY' }) as Error);
  });
});

test('the same plan said again is the plan that is there; another deadline is another plan', () => {
  const request = { steps: [{ trafficBps: 100 }, { trafficBps: 900 }], deadlineMs: 60_000 };
  const plan = planOf('canary', request, undefined);
  const old = { ...(plan as RolloutPlan), approvals: 1, paused: true };
  const before = { plan: old } as Deployment;
  expect(keptPlan(before, plan)).toBe(old);
  const other = planOf('canary', { ...request, deadlineMs: 61_000 }, undefined);
  expect(keptPlan(before, other)).toBe(other);
  expect(keptPlan(undefined, plan)).toBe(plan);
});
