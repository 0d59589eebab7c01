/** The way through a plan: held, approved, paused, never skipped, never beyond what was signed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isOverdue,
  nextStep,
  phaseOf,
  type StepState,
  within,
} from '../../../gateway/rollout/rollout-steps.ts';
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
    expect(after(state, 1e9, { paused: true }).step).toBe(0);
    expect(nextStep(plan, state, { nowMs: 1e9, verdict: 'pause' }).step).toBe(0);
    for (const verdict of ['hold', 'rollback'] as const) {
      expect(nextStep(plan, state, { nowMs: 1e9, verdict })).toBe(state);
    }
  });

  test('ends as well where it is shown that the candidate is not worse', () => {
    const moment = { nowMs: 10_000, verdict: 'promote' } as const;
    expect(nextStep(plan, { step: 0, sinceMs: 0 }, moment)).toEqual({ step: 1, sinceMs: 10_000 });
  });

  test.each([{ paused: true, verdict: 'healthy' } as const, { paused: false, verdict: 'pause' } as const])(
    'does not age while it is paused: %j',
    ({ paused, verdict }) => {
      const paused4s = nextStep({ ...plan, paused }, { step: 0, sinceMs: 0 }, { nowMs: 4000, verdict });
      expect(paused4s).toEqual({ step: 0, sinceMs: 0, pausedMs: 4000 });
      expect(nextStep({ ...plan, paused }, paused4s, { nowMs: 90_000, verdict })).toBe(paused4s);
      const resumed = after(paused4s, 100_000);
      expect(resumed).toEqual({ step: 0, sinceMs: 96_000 });
      expect(after(resumed, 105_999)).toBe(resumed);
      expect(after(resumed, 106_000)).toEqual({ step: 1, sinceMs: 106_000 });
    },
  );

  test('is held anew when the clock was set back', () => {
    expect(after({ step: 0, sinceMs: 50_000 }, 20_000)).toEqual({ step: 0, sinceMs: 20_000 });
  });
});

describe('the last step', () => {
  const state = { step: 3, sinceMs: 1000 };

  test('is baked before the rollout is complete', () => {
    expect(after(state, 60_999, { bakeMs: 60_000 })).toBe(state);
    expect(phaseOf(plan, state, 'healthy')).toBe('bake');
    const complete = after(state, 61_000, { bakeMs: 60_000 });
    expect(complete).toEqual({ ...state, isComplete: true });
    expect(after(complete, 1e9)).toBe(complete);
    expect(phaseOf(plan, complete, 'hold')).toBe('complete');
  });

  test('is no longer complete when the plan goes on', () => {
    const short = { ...plan, steps: plan.steps.slice(0, 2) };
    const complete = { step: 1, sinceMs: 7, isComplete: true } as const;
    expect(within(short, complete)).toBe(complete);
    expect(within(plan, complete)).toEqual({ step: 1, sinceMs: 7 });
  });
});

test('the phase says whom a step waits for', () => {
  const phase = (step: number, changed: Partial<RolloutPlan> = {}): string =>
    phaseOf({ ...plan, ...changed }, { step, sinceMs: 0 }, 'healthy');
  expect([phase(0), phase(1), phase(1, { approvals: 1 }), phase(0, { paused: true })]).toEqual([
    'running',
    'awaiting_approval',
    'running',
    'paused',
  ]);
  expect(phaseOf(plan, { step: 0, sinceMs: 0 }, 'pause')).toBe('paused');
});

test('a held step is overdue after the deadline, never while people are waited for', () => {
  const overdue = (state: StepState, changed: Partial<RolloutPlan> = {}): boolean =>
    isOverdue({ ...plan, deadlineMs: 5000, ...changed }, state, { nowMs: 15_000, verdict: 'hold' });
  expect(overdue({ step: 0, sinceMs: 0 })).toBe(true);
  expect(overdue({ step: 0, sinceMs: 1 })).toBe(false);
  expect(isOverdue(plan, { step: 0, sinceMs: 0 }, { nowMs: 1e12, verdict: 'hold' })).toBe(false);
  expect(overdue({ step: 0, sinceMs: 0, pausedMs: 9 })).toBe(false);
  expect(overdue({ step: 0, sinceMs: 0 }, { paused: true })).toBe(false);
  expect([overdue({ step: 1, sinceMs: 0 }), overdue({ step: 3, sinceMs: 0 })]).toEqual([false, false]);
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
