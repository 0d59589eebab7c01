/** All that a judge counted, as plain data: for the status, and to add what several nodes saw. */
import { addCounts, type ArmCounts } from './arm-evidence.ts';
import type { JudgedTotals } from './judged-totals.ts';
import type { MetricName } from './judge-options.ts';
import { addTotals, type ArmTotals, mergeMetrics, type MetricSnapshot } from './metric-counts.ts';

export interface JudgeSnapshot {
  /** When the step began; the first request, if nobody said. */
  readonly stepStartedMs: number | null;
  readonly requests: ArmTotals;
  /** Requests among the failed ones that took the model down. */
  readonly crashed: ArmTotals;
  /** Callers that the candidate met. */
  readonly candidateKeys: number;
  /** Callers by the version that they met first, and its share then. */
  readonly keys: readonly ArmCounts[];
  /** Callers in a row to whom the candidate failed, until now. */
  readonly failuresInARow: number;
  /** Those of them with whom it took its thread down. */
  readonly crashesInARow: number;
  /** What became of the requests to the stable version since the candidate last answered. */
  readonly stableMeanwhile: { readonly requests: number; readonly failed: number };
  readonly metrics: Readonly<Record<MetricName, MetricSnapshot>>;
  /** Null until they are set, and where two nodes have their own. */
  readonly latencyCutsMs: readonly number[] | null;
  /** Service times come, whether or not there are cut points yet. */
  readonly hasLatency: boolean;
}

/** The same counts as people look at them. */
export function totalsOf({ requests, crashed, candidateKeys, metrics }: JudgeSnapshot): JudgedTotals {
  const [failed, notFinite] = [metrics.error, metrics.nan].map(
    ({ channels }) => channels[0]?.total ?? noTotals,
  );
  return {
    requests,
    failed: failed ?? noTotals,
    notFinite: notFinite ?? noTotals,
    crashed,
    candidateKeys,
  };
}

const noTotals: ArmTotals = { candidate: 0, stable: 0 };

/**
 * What two nodes saw. Each compares with its own cut points: that adds up all the same, since the evidence only asks
 * which version an event was. A caller that comes to both is counted twice.
 */
export function mergeSnapshots(one: JudgeSnapshot, other: JudgeSnapshot): JudgeSnapshot {
  const longer = one.failuresInARow >= other.failuresInARow ? one : other;
  const isSameCuts = String(one.latencyCutsMs) === String(other.latencyCutsMs);
  const starts = [one.stepStartedMs, other.stepStartedMs].filter((start) => start !== null);
  return {
    stepStartedMs: starts.length === 0 ? null : Math.min(...starts),
    requests: addTotals(one.requests, other.requests),
    crashed: addTotals(one.crashed, other.crashed),
    candidateKeys: one.candidateKeys + other.candidateKeys,
    keys: addCounts(one.keys, other.keys),
    failuresInARow: longer.failuresInARow,
    crashesInARow: longer.crashesInARow,
    stableMeanwhile: longer.stableMeanwhile,
    metrics: {
      error: mergeMetrics(one.metrics.error, other.metrics.error),
      nan: mergeMetrics(one.metrics.nan, other.metrics.nan),
      latency: mergeMetrics(one.metrics.latency, other.metrics.latency),
      prediction: mergeMetrics(one.metrics.prediction, other.metrics.prediction),
    },
    latencyCutsMs: isSameCuts ? one.latencyCutsMs : null,
    hasLatency: one.hasLatency || other.hasLatency,
  };
}
