/**
 * Where a node stands in the plan of a canary, and when it goes on: a pure function of the signed plan, the time and what
 * the judge says. It never goes beyond the plan, never skips a step, and stays rather than goes on without evidence.
 */
import type { RolloutPlan } from '../../registry-store/manifest/rollout-plan.ts';
import type { Verdict } from './canary-judge.ts';

export interface StepState {
  /** Index into the steps of the plan. */
  readonly step: number;
  /** When the step began, milliseconds since 1970. */
  readonly sinceMs: number;
}

/** The same, or the last step of a plan that has fewer steps by now. */
export function within({ steps }: RolloutPlan, state: StepState): StepState {
  const last = steps.length - 1;
  return state.step > last ? { ...state, step: last } : state;
}

/** The same state where nothing changes. `state` is within the plan. */
export function nextStep(
  plan: RolloutPlan,
  state: StepState,
  { nowMs, verdict }: { readonly nowMs: number; readonly verdict: Verdict['kind'] },
): StepState {
  const last = plan.steps.length - 1;
  if (plan.paused) return state;
  // A clock that was set back must not hold a step for longer than the plan says.
  if (nowMs < state.sinceMs) return { step: state.step, sinceMs: nowMs };
  if (state.step === last || verdict !== 'healthy') return state;
  return isOver(plan, state, nowMs) ? { step: state.step + 1, sinceMs: nowMs } : state;
}

function isOver({ steps, approvals }: RolloutPlan, { step, sinceMs }: StepState, nowMs: number): boolean {
  const holdMs = steps[step]?.holdMs;
  if (holdMs !== undefined) return nowMs - sinceMs >= holdMs;
  const waitedForBefore = steps.slice(0, step).filter((each) => each.holdMs === undefined).length;
  return approvals > waitedForBefore;
}
