/**
 * What is counted about one model version, as plain numbers that the request path can bump without looking anything up.
 * Names, labels and units for the outside are in metrics-page.ts.
 */
import type { ErrorCode } from '../wire/error-code.ts';
import { BucketHistogram } from './bucket-histogram.ts';

/** How a request came in. */
export type Protocol = 'oip-json' | 'predict-json' | 'oip-msgpack' | 'stream-msgpack';

export type Outcome = 'OK' | ErrorCode | 'ABANDONED';

/** Upper bounds of durations, seconds: sub-millisecond models need buckets below a millisecond. */
const durationBounds = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const rowBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** Requests by protocol and outcome. */
export class OutcomeCounter {
  readonly #counts = new Map<Protocol, Map<Outcome, number>>();

  count(protocol: Protocol, outcome: Outcome): void {
    let outcomes = this.#counts.get(protocol);
    if (outcomes === undefined) {
      outcomes = new Map();
      this.#counts.set(protocol, outcomes);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  *rows(): Generator<{ readonly protocol: Protocol; readonly outcome: Outcome; readonly value: number }> {
    for (const [protocol, outcomes] of this.#counts) {
      for (const [outcome, value] of outcomes) yield { protocol, outcome, value };
    }
  }
}

export class VersionMetrics {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly outcomes: OutcomeCounter = new OutcomeCounter();
  /** From the arrival of the whole request to the hand-over of its answer, seconds. */
  readonly requestSeconds: BucketHistogram = new BucketHistogram(durationBounds);
  /** From arrival to the start of the batch that answered, seconds. */
  readonly queueSeconds: BucketHistogram = new BucketHistogram(durationBounds);
  /** Time in the runtime per batch, seconds. */
  readonly runSeconds: BucketHistogram = new BucketHistogram(durationBounds);
  readonly batchRows: BucketHistogram = new BucketHistogram(rowBounds);
  /** Batches that failed as a whole and were split. */
  batchesRetried = 0;

  constructor(modelName: string, modelVersion: string) {
    this.modelName = modelName;
    this.modelVersion = modelVersion;
  }
}
