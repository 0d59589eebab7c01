/**
 * Ratios between peers. Machines drift, so a ratio is formed within one round and between runs of the same series,
 * that is of the same generator; only then come the median and the spread over the rounds. Pure.
 */
import { answersPerSecond, type LoadReport } from '../load/load-report.ts';
import type { Measurement, SuiteResult } from '../measurement.ts';
import type { PeerName } from '../peers/peer.ts';

/** One value for each round in which all that it needs was measured without failures. */
export function throughputRatios(result: SuiteResult, series: string, peer: PeerName): readonly number[] {
  return byRound(result, (round) => {
    const gateway = soundReport(result.measurements, { series, peer: 'gateway', round });
    const other = soundReport(result.measurements, { series, peer, round });
    if (gateway === undefined || other === undefined || other.answers === 0) return undefined;
    return answersPerSecond(gateway) / answersPerSecond(other);
  });
}

/**
 * Median latency of the gateway, one request at a time, over what the same request costs at the least: the median of
 * bare uWebSockets.js in the same round and the median of a bare run of the model.
 */
export function latencyRatios(result: SuiteResult, series: string): readonly number[] {
  return byRound(result, (round) => {
    const gateway = soundReport(result.measurements, { series, peer: 'gateway', round });
    const bare = soundReport(result.measurements, { series, peer: 'bare-uws', round });
    const loop = result.loops.find((candidate) => candidate.round === round);
    const run = loop?.batches.find(({ rows }) => rows === 1);
    if (gateway === undefined || bare === undefined || run === undefined) return undefined;
    return gateway.p50Us / (bare.p50Us + run.p50Us);
  });
}

function byRound(result: SuiteResult, ratio: (round: number) => number | undefined): readonly number[] {
  return Array.from({ length: result.rounds }, (_, round) => ratio(round)).filter(
    (value) => value !== undefined,
  );
}

function soundReport(
  measurements: readonly Measurement[],
  wanted: Omit<Measurement, 'report'>,
): LoadReport | undefined {
  const found = measurements.find(
    ({ series, peer, round }) => series === wanted.series && peer === wanted.peer && round === wanted.round,
  );
  return found?.report.failures === 0 ? found.report : undefined;
}
