/** The way through a plan: held, approved, paused, never skipped, never beyond what was signed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nextStep, type StepState, within } from '../../../gateway/rollout/rollout-steps.ts';
import type { RolloutPlan } from '../../../registry-store/main.ts';

const plan: RolloutPlan = {
  steps: [
    { trafficBps: 100, holdMs: 10_000 },
    { trafficBps: 1000 },
    { trafficBps: 5000 },
    { trafficBps: 10_000 },
  ],
  approvals: 0,
  paused: false,
};

function after(state: StepState, nowMs: number, changed: Partial<RolloutPlan> = {}): StepState {
  return nextStep({ ...plan, ...changed }, state, { nowMs, verdict: 'healthy' });
}

describe('a step', () => {
  test('with a hold is over when it was held so long', () => {
    const state = { step: 0, sinceMs: 1000 };
    expect(after(state, 10_999)).toBe(state);
    expect(after(state, 11_000)).toEqual({ step: 1, sinceMs: 11_000 });
  });

  test('without one waits for its own approval', () => {
    const [first, second] = [
      { step: 1, sinceMs: 0 },
      { step: 2, sinceMs: 0 },
    ];
    expect(after(first, 1e12)).toBe(first);
    expect(after(first, 1, { approvals: 1 })).toEqual({ step: 2, sinceMs: 1 });
    expect(after(second, 1, { approvals: 1 })).toBe(second);
    expect(after(second, 1, { approvals: 2 })).toEqual({ step: 3, sinceMs: 1 });
  });

  test('is not cut short by an approval that was meant for another', () => {
    const state = { step: 0, sinceMs: 0 };
    expect(after(state, 5000, { approvals: 2 })).toBe(state);
  });

  test('does not end while the rollout is paused, or without evidence', () => {
    const state = { step: 0, sinceMs: 0 };
    expect(after(state, 1e9, { paused: true })).toBe(state);
    for (const verdict of ['hold', 'rollback'] as const) {
      expect(nextStep(plan, state, { nowMs: 1e9, verdict })).toBe(state);
    }
  });

  test('is held anew when the clock was set back', () => {
    expect(after({ step: 0, sinceMs: 50_000 }, 20_000)).toEqual({ step: 0, sinceMs: 20_000 });
  });
});

test('a plan that became shorter ends at its last step', () => {
  const short = { ...plan, steps: plan.steps.slice(0, 2) };
  expect(within(short, { step: 3, sinceMs: 7 })).toEqual({ step: 1, sinceMs: 7 });
  const inside = { step: 1, sinceMs: 7 };
  expect(within(short, inside)).toBe(inside);
});

test('whatever happens, a node goes one step at a time and stays inside the plan', () => {
  const step = fc.record({ holdMs: fc.option(fc.integer({ min: 1000, max: 5000 }), { nil: undefined }) });
  const moment = fc.record({
    waitMs: fc.integer({ min: 0, max: 6000 }),
    approvals: fc.integer({ min: 0, max: 5 }),
    paused: fc.boolean(),
    verdict: fc.constantFrom('healthy' as const, 'hold' as const),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), fc.array(moment), (holds, moments) => {
      const steps = holds.map(({ holdMs }, index) => ({
        trafficBps: 100 * (index + 1),
        ...(holdMs !== undefined && { holdMs }),
      }));
      let state: StepState = { step: 0, sinceMs: 0 };
      let nowMs = 0;
      for (const { waitMs, approvals, paused, verdict } of moments) {
        nowMs += waitMs;
        const next = nextStep({ steps, approvals, paused }, state, { nowMs, verdict });
        expect(next.step - state.step).toBeLessThanOrEqual(verdict === 'healthy' && !paused ? 1 : 0);
        expect(next.step).toBeGreaterThanOrEqual(state.step);
        expect(next.step).toBeLessThan(steps.length);
        state = next;
      }
    }),
  );
});
