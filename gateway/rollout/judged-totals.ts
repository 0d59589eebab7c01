/** What was counted of both versions, as people look at it. */
import type { ArmTotals } from './metric-counts.ts';

/** Counts for people. */
export interface JudgedTotals {
  readonly requests: ArmTotals;
  readonly failed: ArmTotals;
  readonly notFinite: ArmTotals;
  readonly crashed: ArmTotals;
  /** Callers that the candidate met. */
  readonly candidateKeys: number;
}
