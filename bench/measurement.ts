/** What a run of the suite yields: numbers with all that is needed to know which can be compared. */
import type { LoadReport } from './load/load-report.ts';
import type { LoopReport } from './peers/loop-report.ts';
import type { PeerName } from './peers/peer.ts';

export interface Measurement {
  /** Id of the series, which implies the generator. */
  readonly series: string;
  readonly peer: PeerName;
  /** From 0. */
  readonly round: number;
  readonly report: LoadReport;
}

export interface LoopMeasurement {
  readonly round: number;
  readonly batches: readonly LoopReport[];
}

export interface SuiteResult {
  readonly rounds: number;
  readonly measurements: readonly Measurement[];
  readonly loops: readonly LoopMeasurement[];
}
