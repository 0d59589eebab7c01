/**
 * Where a node stands with a blue/green that is judged, or with a version that was promoted, and when it goes on: a pure
 * function of what was signed, the time and what the judge says. Going back is the judge's business.
 */
import type { FlipPlan } from '../../registry-store/manifest/flip-plan.ts';
import type { CallerCounts } from './caller-rates.ts';
import type { Verdict } from './judge-verdict.ts';

export interface FlipState {
  /** When the preview began, and later when the flip was; milliseconds since 1970. */
  readonly sinceMs: number;
  /** What the version before did until the flip, which there is only after it. */
  readonly reference?: CallerCounts;
  /** The time of the watch is over. */
  readonly isComplete?: true;
}

export interface FlipMoment {
  readonly nowMs: number;
  readonly verdict: Verdict['kind'];
  /** What the version that is live did until now. */
  readonly reference: CallerCounts;
}

/** The same state where nothing changes. A verdict that is not healthy holds it where it is. */
export function nextOfPreview(
  { autoAfterMs, watchMs }: FlipPlan,
  state: FlipState,
  { nowMs, verdict, reference }: FlipMoment,
): FlipState {
  // A clock that was set back must not hold it for longer than was signed.
  if (nowMs < state.sinceMs) return { ...state, sinceMs: nowMs };
  if (autoAfterMs === undefined || verdict !== 'healthy' || nowMs - state.sinceMs < autoAfterMs) return state;
  return { sinceMs: nowMs, reference, ...(watchMs === undefined && { isComplete: true }) };
}

/** `watchMs` undefined where nothing was to be watched. */
export function nextOfWatch(
  watchMs: number | undefined,
  state: FlipState,
  { nowMs, verdict }: Pick<FlipMoment, 'nowMs' | 'verdict'>,
): FlipState {
  if (state.isComplete === true) return state;
  if (nowMs < state.sinceMs) return { ...state, sinceMs: nowMs };
  if (verdict !== 'healthy' || nowMs - state.sinceMs < (watchMs ?? 0)) return state;
  return { ...state, isComplete: true };
}
