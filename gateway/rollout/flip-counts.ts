/**
 * What one process counted of a version that is judged against the one before it, as plain data, and how the counts of
 * several processes of a node add up. Rows of failures are not in it: each process sees its own.
 */
import { addCallerCounts, type CallerCounts, type Fault, faults, isCallerCounts } from './caller-rates.ts';
import { addJudged, isJudgedTotals, type JudgedTotals } from './judged-totals.ts';

export interface FlipCounts {
  /** Trials of the new version. */
  readonly rates: CallerCounts;
  /** Trials of the version before, of callers of whose requests the new one gets copies. */
  readonly copied: CallerCounts;
  /** Different callers among those that failed, summed over processes; a caller may come to each of them. */
  readonly failedCallers: Readonly<Record<Fault, number>>;
  /** The same of the process that has most. */
  readonly failedCallersMost: Readonly<Record<Fault, number>>;
  readonly totals: JudgedTotals;
  readonly processes: number;
}

export function mergeFlipCounts(one: FlipCounts, other: FlipCounts): FlipCounts {
  const [callers, more] = [one.failedCallers, other.failedCallers];
  const [most, othersMost] = [one.failedCallersMost, other.failedCallersMost];
  return {
    rates: addCallerCounts(one.rates, other.rates),
    copied: addCallerCounts(one.copied, other.copied),
    failedCallers: { error: callers.error + more.error, nan: callers.nan + more.nan },
    failedCallersMost: {
      error: Math.max(most.error, othersMost.error),
      nan: Math.max(most.nan, othersMost.nan),
    },
    totals: addJudged(one.totals, other.totals),
    processes: one.processes + other.processes,
  };
}

/** Different callers that failed, at least: each of them may have come to every process. */
export function failedCallersLeast(
  { failedCallers, failedCallersMost, processes }: FlipCounts,
  fault: Fault,
): number {
  return Math.max(failedCallersMost[fault], Math.ceil(failedCallers[fault] / processes));
}

/** Undefined for anything else. */
export function readFlipCounts(value: unknown): FlipCounts | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { rates, copied, failedCallers, failedCallersMost, totals, processes } = value as Partial<
    Record<keyof FlipCounts, unknown>
  >;
  if (!isCallerCounts(rates) || !isCallerCounts(copied)) return undefined;
  if (!isByFault(failedCallers) || !isByFault(failedCallersMost)) return undefined;
  if (!isJudgedTotals(totals) || !Number.isSafeInteger(processes) || Number(processes) < 1) return undefined;
  return { rates, copied, failedCallers, failedCallersMost, totals, processes: Number(processes) };
}

function isByFault(value: unknown): value is Readonly<Record<Fault, number>> {
  if (typeof value !== 'object' || value === null) return false;
  const counts = value as Readonly<Record<string, unknown>>;
  return faults.every((fault) => Number.isSafeInteger(counts[fault]) && Number(counts[fault]) >= 0);
}
