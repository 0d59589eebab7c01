/**
 * Where a node stands in the plan of a rollout, and when it goes on: a pure function of the signed plan, the time and what
 * the judge says. It never goes beyond the plan, never skips a step, and stays rather than goes on without evidence.
 */
import type { RolloutPlan } from '../../registry-store/manifest/rollout-plan.ts';
import type { Verdict } from './judge-verdict.ts';

export interface StepState {
  /** Index into the steps of the plan. */
  readonly step: number;
  /** When the step began, milliseconds since 1970; later by the time in which it was paused. */
  readonly sinceMs: number;
  /** Since when its clock stands still. */
  readonly pausedMs?: number;
  /** The last step was held and baked without a reason to go back. */
  readonly isComplete?: true;
}

export interface Moment {
  readonly nowMs: number;
  readonly verdict: Verdict['kind'];
}

export type StepPhase = 'running' | 'paused' | 'awaiting_approval' | 'bake' | 'complete';

/** The same, or the last step of a plan that has fewer steps by now; one that has more is not complete any more. */
export function within({ steps }: RolloutPlan, state: StepState): StepState {
  const last = steps.length - 1;
  if (state.step > last) return { step: last, sinceMs: state.sinceMs };
  if (state.step === last || state.isComplete !== true) return state;
  return { step: state.step, sinceMs: state.sinceMs };
}

/** The same state where nothing changes. `state` is within the plan. */
export function nextStep(plan: RolloutPlan, state: StepState, { nowMs, verdict }: Moment): StepState {
  const { step, sinceMs, pausedMs } = state;
  if (isPaused(plan, verdict)) return pausedMs === undefined ? { ...state, pausedMs: nowMs } : state;
  // What was paused goes on where it stood. A clock that was set back must not hold a step for longer than the plan says.
  if (pausedMs !== undefined)
    return { step, sinceMs: Math.min(nowMs, sinceMs + Math.max(0, nowMs - pausedMs)) };
  if (nowMs < sinceMs) return { step, sinceMs: nowMs };
  if (state.isComplete === true || (verdict !== 'healthy' && verdict !== 'promote')) return state;
  const isLast = step === plan.steps.length - 1;
  if (isLast) return nowMs - sinceMs >= (plan.bakeMs ?? 0) ? { ...state, isComplete: true } : state;
  return mayEnd(plan, state, nowMs) ? { step: step + 1, sinceMs: nowMs } : state;
}

export function phaseOf(plan: RolloutPlan, state: StepState, verdict: Verdict['kind']): StepPhase {
  if (state.isComplete === true) return 'complete';
  if (isPaused(plan, verdict)) return 'paused';
  if (state.step === plan.steps.length - 1) return 'bake';
  return isApproved(plan, state.step) ? 'running' : 'awaiting_approval';
}

/** Whether a step should have ended so long ago that the rollout is given up. The last step, and people, have time. */
export function isOverdue(plan: RolloutPlan, state: StepState, { nowMs, verdict }: Moment): boolean {
  const { steps, deadlineMs } = plan;
  const { step, sinceMs } = state;
  const holdMs = steps[step]?.holdMs;
  if (deadlineMs === undefined || holdMs === undefined || step === steps.length - 1) return false;
  if (isPaused(plan, verdict) || state.pausedMs !== undefined) return false;
  return nowMs - sinceMs >= holdMs + deadlineMs;
}

/** By an operator for all nodes, or by the judge for this one: until somebody looked, nothing goes on. */
function isPaused(plan: RolloutPlan, verdict: Verdict['kind']): boolean {
  return plan.paused || verdict === 'pause';
}

function mayEnd(plan: RolloutPlan, { step, sinceMs }: StepState, nowMs: number): boolean {
  return nowMs - sinceMs >= (plan.steps[step]?.holdMs ?? 0) && isApproved(plan, step);
}

/** A step that is held for a time needs no approval. */
function isApproved({ steps, approvals }: RolloutPlan, step: number): boolean {
  if (steps[step]?.holdMs !== undefined) return true;
  const waitedForBefore = steps.slice(0, step).filter(({ holdMs }) => holdMs === undefined).length;
  return approvals > waitedForBefore;
}
