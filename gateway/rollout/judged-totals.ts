/** What was counted of both versions, as people look at it. */
import { addTotals, type ArmTotals } from './metric-counts.ts';

/** Counts for people. */
export interface JudgedTotals {
  readonly requests: ArmTotals;
  readonly failed: ArmTotals;
  readonly notFinite: ArmTotals;
  readonly crashed: ArmTotals;
  /** Callers that the candidate met. */
  readonly candidateKeys: number;
}

/** A caller that came to both is counted twice. */
export function addJudged(one: JudgedTotals, other: JudgedTotals): JudgedTotals {
  return {
    requests: addTotals(one.requests, other.requests),
    failed: addTotals(one.failed, other.failed),
    notFinite: addTotals(one.notFinite, other.notFinite),
    crashed: addTotals(one.crashed, other.crashed),
    candidateKeys: one.candidateKeys + other.candidateKeys,
  };
}

export function isArmTotals(value: unknown): value is ArmTotals {
  if (typeof value !== 'object' || value === null || !('candidate' in value) || !('stable' in value))
    return false;
  return [value.candidate, value.stable].every(isCount);
}

export function isJudgedTotals(value: unknown): value is JudgedTotals {
  if (typeof value !== 'object' || value === null) return false;
  const { candidateKeys, ...pairs } = value as Partial<Record<keyof JudgedTotals, unknown>>;
  const all = [pairs.requests, pairs.failed, pairs.notFinite, pairs.crashed];
  return isCount(candidateKeys) && all.every(isArmTotals);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
