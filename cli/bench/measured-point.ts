/** The numbers of one load as they are reported, and whether they count. Pure. */
import { generatorProblem, throughput, type WindowResult } from './load/window-result.ts';
import type { ServerSplit } from './server-statistics.ts';

/** What is varied from point to point: requests under way, or requests per second. */
export interface LoadPoint {
  readonly kind: 'closed' | 'open';
  readonly value: number;
}

export interface MeasuredPoint {
  readonly point: LoadPoint;
  readonly result: WindowResult;
  /** Windows that were measured; `result` is of the last ones, those that agree. */
  readonly windows: number;
  /** Undefined where it was not asked for. */
  readonly isStable: boolean | undefined;
  readonly server: ServerSplit | undefined;
}

/** Percentiles that reports have, as shares. */
export const reportedShares = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99, p999: 0.999 } as const;

/** Why the point must not be used, in words; empty when it counts. */
export function problemsOf({ result, isStable }: MeasuredPoint): readonly string[] {
  const { failed, unsent, offered, good } = result;
  const generator = generatorProblem(result);
  return [
    ...(failed > 0 ? [`${failed} of ${offered} requests failed`] : []),
    ...(unsent > 0 ? [`${unsent} requests were not sent: too many waited for a connection`] : []),
    ...(good === 0 && failed === 0 ? ['nothing was answered'] : []),
    ...(generator === undefined ? [] : [generator]),
    ...(isStable === false ? ['throughput and latency did not settle'] : []),
  ];
}

/** As JSON has it: flat numbers with units in their names, null for what there is not. */
export function pointJson(measured: MeasuredPoint): Readonly<Record<string, unknown>> {
  const { point, result, windows, isStable, server } = measured;
  const { offered, good, refused, failed, unsent, latency, refusalLatency, lateness, busyShare } = result;
  const problems = problemsOf(measured);
  const percentiles = Object.entries(reportedShares).map(([name, share]): readonly [string, number] => [
    `latency_${name}_us`,
    rounded(latency.percentileUs(share)),
  ]);
  return {
    mode: point.kind,
    load: point.value,
    throughput_per_second: rounded(throughput(result)),
    offered,
    good,
    refused,
    failed,
    unsent,
    seconds: rounded(result.seconds),
    latency_mean_us: rounded(latency.meanUs),
    ...Object.fromEntries(percentiles),
    latency_max_us: rounded(latency.maxUs),
    refusal_p50_us: refusalLatency.count === 0 ? null : rounded(refusalLatency.percentileUs(0.5)),
    lateness_p99_us: lateness.count === 0 ? null : rounded(lateness.percentileUs(0.99)),
    generator_busy_share: point.kind === 'closed' ? rounded(busyShare) : null,
    server_queue_us: server === undefined ? null : rounded(server.queueUs),
    server_compute_us: server === undefined ? null : rounded(server.computeUs),
    overhead_us: server === undefined ? null : rounded(server.overheadUs),
    rows_per_run: server === undefined ? null : rounded(server.rowsPerRun),
    windows,
    stable: isStable ?? null,
    valid: problems.length === 0,
    problems,
    reasons: Object.fromEntries(result.reasons),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
