/**
 * The numbers of a model version under the names that other inference servers gave them: the body of the statistics
 * extension, and the `nv_inference_*` metrics of existing dashboards. What each of them means here is in
 * docs/protocol.md.
 */
import type { BatchSums, Outcome, VersionMetrics } from './version-metrics.ts';

interface Duration {
  readonly count: number;
  readonly ns: number;
}

export interface StatisticsCircumstances {
  /** Where time began on the clock that `lastBatchMs` is on, milliseconds since 1970. */
  readonly timeOriginMs: number;
  /** What the version takes on all threads together; 0 while it is not in memory. */
  readonly memoryBytes: number;
}

export function modelStatistics(
  metrics: VersionMetrics,
  { timeOriginMs, memoryBytes }: StatisticsCircumstances,
): object {
  const { perRequest, requestSeconds, queueSeconds, failedSeconds, batchRows, lastBatchMs, cache } = metrics;
  const { succeeded, failed } = countRequests(metrics);
  const computed = perRequest.batches;
  return {
    name: metrics.modelName,
    version: metrics.modelVersion,
    last_inference: lastBatchMs === undefined ? 0 : Math.round(timeOriginMs + lastBatchMs),
    inference_count: batchRows.sum,
    execution_count: batchRows.count,
    inference_stats: {
      success: duration(succeeded, (requestSeconds.sum - failedSeconds) * 1000),
      fail: duration(failed, failedSeconds * 1000),
      queue: duration(queueSeconds.count, queueSeconds.sum * 1000),
      compute_input: duration(computed, perRequest.handOverMs),
      compute_infer: duration(computed, perRequest.runMs),
      compute_output: duration(computed, perRequest.answerMs),
      cache_hit: duration(cache.hits, cache.hitMs),
      cache_miss: duration(cache.misses, cache.missMs),
    },
    response_stats: {},
    batch_stats: [...metrics.perBatchSize]
      .sort(([left], [right]) => left - right)
      .map(([size, sums]) => batchStatistics(size, sums)),
    memory_usage: memoryBytes === 0 ? [] : [{ type: 'CPU', id: 0, byte_size: memoryBytes }],
  };
}

function batchStatistics(size: number, { batches, handOverMs, runMs, answerMs }: BatchSums): object {
  return {
    batch_size: size,
    compute_input: duration(batches, handOverMs),
    compute_infer: duration(batches, runMs),
    compute_output: duration(batches, answerMs),
  };
}

function duration(count: number, ms: number): Duration {
  return { count, ns: Math.max(0, Math.round(ms * 1e6)) };
}

function countRequests(metrics: VersionMetrics): { readonly succeeded: number; readonly failed: number } {
  let [succeeded, failed] = [0, 0];
  for (const { outcome, value } of metrics.outcomes.rows()) {
    if (outcome === 'OK') succeeded += value;
    else failed += value;
  }
  return { succeeded, failed };
}

/** A metric that has one value for each model version. */
export interface VersionCounter {
  readonly name: string;
  readonly help: string;
  readonly read: (metrics: VersionMetrics) => number;
}

export const versionCounters: readonly VersionCounter[] = [
  {
    name: 'tidegate_cold_starts_total',
    help: 'Times that a version was loaded because requests waited for it.',
    read: ({ coldStarts }) => coldStarts,
  },
  {
    name: 'tidegate_padded_rows_total',
    help: 'Rows that filled runs of a fixed number of rows up and that nobody sent.',
    read: ({ paddedRows }) => paddedRows,
  },
  {
    name: 'tidegate_lane_seconds_total',
    help: 'Time for which batches took their lane: hand-over and run.',
    read: ({ laneSeconds }) => laneSeconds,
  },
  {
    name: 'tidegate_lane_predicted_seconds_total',
    help: 'The same as it was foreseen when the batches began.',
    read: ({ predictedSeconds }) => predictedSeconds,
  },
  {
    name: 'nv_inference_request_success',
    help: 'Requests answered with a result.',
    read: (metrics) => countRequests(metrics).succeeded,
  },
  { name: 'nv_inference_count', help: 'Rows that were run.', read: ({ batchRows }) => batchRows.sum },
  {
    name: 'nv_inference_exec_count',
    help: 'Batches that were run.',
    read: ({ batchRows }) => batchRows.count,
  },
  {
    name: 'nv_inference_request_duration_us',
    help: 'Time of requests from arrival to their answer, microseconds.',
    read: ({ requestSeconds }) => requestSeconds.sum * 1e6,
  },
  {
    name: 'nv_inference_queue_duration_us',
    help: 'Time of requests from arrival to the start of their batch, microseconds.',
    read: ({ queueSeconds }) => queueSeconds.sum * 1e6,
  },
  {
    name: 'nv_inference_compute_input_duration_us',
    help: 'Time in which batches were handed over and back, for each request in them, microseconds.',
    read: ({ perRequest }) => perRequest.handOverMs * 1000,
  },
  {
    name: 'nv_inference_compute_infer_duration_us',
    help: 'Time of batches in the model runtime, for each request in them, microseconds.',
    read: ({ perRequest }) => perRequest.runMs * 1000,
  },
  {
    name: 'nv_inference_compute_output_duration_us',
    help: 'Time in which the answers of batches were written, for each request in them, microseconds.',
    read: ({ perRequest }) => perRequest.answerMs * 1000,
  },
  {
    name: 'tidegate_cache_coalesced_total',
    help: 'Requests that shared the run of another one that asked the same.',
    read: ({ cache }) => cache.coalesced,
  },
  {
    name: 'nv_cache_num_hits_per_model',
    help: 'Requests answered from the response cache.',
    read: ({ cache }) => cache.hits,
  },
  {
    name: 'nv_cache_num_misses_per_model',
    help: 'Requests that were run after a look into the response cache.',
    read: ({ cache }) => cache.misses,
  },
  {
    name: 'nv_cache_hit_duration_per_model',
    help: 'Time of requests answered from the response cache, from arrival to answer, microseconds.',
    read: ({ cache }) => cache.hitMs * 1000,
  },
  {
    name: 'nv_cache_miss_duration_per_model',
    help: 'Time of looks into the response cache in vain, microseconds.',
    read: ({ cache }) => cache.missMs * 1000,
  },
];

export type FailureReason = 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER';
export const failureReasons: readonly FailureReason[] = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'];

/** Requests of a version that were not answered with a result, by the reason that dashboards know. */
export function failuresByReason(metrics: VersionMetrics): ReadonlyMap<FailureReason, number> {
  const failures = new Map(failureReasons.map((reason) => [reason, 0]));
  for (const { outcome, value } of metrics.outcomes.rows()) {
    if (outcome === 'OK') continue;
    const reason = reasons.get(outcome) ?? 'OTHER';
    failures.set(reason, (failures.get(reason) ?? 0) + value);
  }
  return failures;
}

/** Everything else is `OTHER`: mostly requests that were wrong. */
const reasons: ReadonlyMap<Outcome, FailureReason> = new Map([
  ['QUEUE_FULL', 'REJECTED'],
  ['DEADLINE_EXCEEDED', 'REJECTED'],
  ['OVERLOADED', 'REJECTED'],
  ['CALLER_LIMIT', 'REJECTED'],
  ['SHUTTING_DOWN', 'REJECTED'],
  ['ABANDONED', 'CANCELED'],
  ['CANCELLED', 'CANCELED'],
  ['MODEL_FAILED', 'BACKEND'],
  ['WORKER_LOST', 'BACKEND'],
]);
