/** Results made by hand for the tests of ratios, targets and summary. */
import type { Measurement, SuiteResult } from '../../../bench/measurement.ts';
import type { PeerName } from '../../../bench/peers/peer.ts';

export interface Run {
  readonly series: string;
  readonly peer: PeerName;
  readonly round: number;
  readonly answers?: number;
  readonly p50Us?: number;
  readonly failures?: number;
}

/** Each run takes two seconds; the loop takes `loopUs` a run of one row, one value for each round. */
export function resultOf(rounds: number, runs: readonly Run[], loopUs: readonly number[] = []): SuiteResult {
  return {
    rounds,
    measurements: runs.map(measurementOf),
    loops: loopUs.map((p50Us, round) => ({
      round,
      batches: [
        { rows: 32, runsPerSecond: 10_000, p50Us: 1, p99Us: 2 },
        { rows: 1, runsPerSecond: 1e6 / p50Us, p50Us, p99Us: p50Us * 2 },
      ],
    })),
  };
}

function measurementOf({ series, peer, round, answers = 1000, p50Us = 100, failures = 0 }: Run): Measurement {
  const report = { answers, failures, seconds: 2, p50Us, p99Us: p50Us * 2, p999Us: p50Us * 3 };
  return { series, peer, round, report };
}
