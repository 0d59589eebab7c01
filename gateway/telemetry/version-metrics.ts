/**
 * What is counted about one model version, as plain numbers that the request path can bump without looking anything up.
 * Names, labels and units for the outside are in metrics-page.ts.
 */
import type { BatchTrigger } from '../batch/batcher.ts';
import type { ErrorCode } from '../wire/error-code.ts';
import { BucketHistogram } from './bucket-histogram.ts';

/** How a request came in. */
export type Protocol =
  'oip-json' | 'oip-binary' | 'predict-json' | 'oip-msgpack' | 'stream-msgpack' | 'stream-json';

export type Outcome = 'OK' | ErrorCode | 'ABANDONED';

/** Upper bounds of durations, seconds: sub-millisecond models need buckets below a millisecond. */
const durationBounds = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** The same for what takes as long as loading a model. */
const loadBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

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

/** What one run of a batch took, milliseconds. */
export interface BatchRun {
  readonly rows: number;
  /** Those that nobody sent, run beside the others because the model only runs so many. */
  readonly paddedRows: number;
  readonly requests: number;
  /** Handing the batch to where it runs, and its results back. */
  readonly handOverMs: number;
  readonly runMs: number;
  /** Encoding the answers and giving them to their connections. */
  readonly answerMs: number;
  /** Why it was not larger. */
  readonly trigger: BatchTrigger;
  /** How long its lane was taken, and how long that was foreseen to be. */
  readonly laneMs: number;
  readonly predictedMs: number;
}

/** Sums over batches, milliseconds. */
export class BatchSums {
  batches = 0;
  handOverMs = 0;
  runMs = 0;
  answerMs = 0;

  add(run: BatchRun, times: number): void {
    this.batches += times;
    this.handOverMs += run.handOverMs * times;
    this.runMs += run.runMs * times;
    this.answerMs += run.answerMs * times;
  }
}

/** Larger batches share the entry of the largest: a client must not be able to make one for every size there is. */
const batchSizesMax = 1024;

/** What the response cache did for the requests of a version; all 0 where there is none. */
export class CacheCounts {
  /** Requests answered from memory. */
  hits = 0;
  /** From arrival to answer, over the hits. */
  hitMs = 0;
  /** When the last of them was answered, on the clock of `performance.now()`; undefined when there was none. */
  lastHitMs: number | undefined;
  /** Requests that were run because nobody had asked the same. */
  misses = 0;
  /** What the look cost in vain, over the misses. */
  missMs = 0;
  /** Requests that shared the run of another one. */
  coalesced = 0;

  hit(startedMs: number, endedMs: number): void {
    this.hits += 1;
    this.hitMs += endedMs - startedMs;
    this.lastHitMs = endedMs;
  }

  missed(ms: number): void {
    this.misses += 1;
    this.missMs += ms;
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
  readonly cache: CacheCounts = new CacheCounts();
  /** Batches by why they were not larger. */
  readonly triggers: Record<BatchTrigger, number> = {
    full: 0,
    drained: 0,
    slack: 0,
    size: 0,
    delay: 0,
    retry: 0,
  };
  /** Time that lanes were taken by batches, and by how much that was more or less than foreseen, seconds. */
  laneSeconds = 0;
  predictedSeconds = 0;
  readonly predictionErrorSeconds: BucketHistogram = new BucketHistogram(durationBounds);
  /** Rows that nobody sent, over all batches. */
  paddedRows = 0;
  /** Batches that failed as a whole and were split. */
  batchesRetried = 0;
  /** The part of `requestSeconds` that belongs to requests which were not answered OK. */
  failedSeconds = 0;
  /** Batches as seen by the requests in them: each batch counts once for every request that it answered. */
  readonly perRequest: BatchSums = new BatchSums();
  /** By rows. */
  readonly perBatchSize: Map<number, BatchSums> = new Map<number, BatchSums>();
  /** Times that it left memory, by why. */
  readonly evictions = { idle: 0, room: 0 };
  /** Times that it was loaded because requests waited for it. */
  coldStarts = 0;
  /** How long each of those requests waited, seconds. */
  readonly coldWaitSeconds: BucketHistogram = new BucketHistogram(loadBounds);
  /** When the last batch ended, on the clock of `performance.now()`; undefined when there was none. */
  lastBatchMs: number | undefined;

  constructor(modelName: string, modelVersion: string) {
    this.modelName = modelName;
    this.modelVersion = modelVersion;
  }

  /** A batch whose requests were answered. */
  recordBatch(run: BatchRun, endedMs: number): void {
    this.runSeconds.record(run.runMs / 1000);
    this.batchRows.record(run.rows);
    this.paddedRows += run.paddedRows;
    this.perRequest.add(run, run.requests);
    this.triggers[run.trigger] += 1;
    this.laneSeconds += run.laneMs / 1000;
    this.predictedSeconds += run.predictedMs / 1000;
    this.predictionErrorSeconds.record(Math.abs(run.laneMs - run.predictedMs) / 1000);
    const size = Math.min(run.rows, batchSizesMax);
    let sums = this.perBatchSize.get(size);
    if (sums === undefined) {
      sums = new BatchSums();
      this.perBatchSize.set(size, sums);
    }
    sums.add(run, 1);
    this.lastBatchMs = endedMs;
  }
}
