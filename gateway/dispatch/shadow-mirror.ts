/**
 * Copies a share of one model's requests to a shadow candidate and compares the two answers. The caller gets the answer of
 * the live version and nothing else: its sink is only listened to, and it never waits.
 */
import { bucketCount, bucketOf } from '../route/bucket-table.ts';
import {
  type ComparisonCounts,
  type KeptOutput,
  comparePair,
  keepOutputs,
  noComparisons,
} from '../rollout/output-comparison.ts';
import type { InferRequest } from '../wire/infer-request.ts';
import type { ReplySink } from './request-queue.ts';
import type { ShadowLane } from './shadow-lane.ts';

export interface ShadowMirrorOptions {
  readonly modelName: string;
  /** Also the salt of the hash. */
  readonly rolloutId: string;
  /** Share of the keys whose requests are copied, in hundredths of a percent. */
  readonly trafficBps: number;
  readonly lane: ShadowLane;
}

/** Those of the comparison, and what did not come so far. */
export interface ShadowCounts extends ComparisonCounts {
  /** Copies that were handed to the candidate. */
  sent: number;
  /** Copies that found no room, or waited too long. */
  dropped: number;
  /** Copies to which the candidate had no answer while the live version had one. */
  failed: number;
}

const bpsAll = 10_000;

export class ShadowMirror {
  readonly modelName: string;
  readonly rolloutId: string;
  readonly counts: ShadowCounts = { ...noComparisons(), sent: 0, dropped: 0, failed: 0 };
  readonly #lane: ShadowLane;
  #buckets: number;

  constructor({ modelName, rolloutId, trafficBps, lane }: ShadowMirrorOptions) {
    this.modelName = modelName;
    this.rolloutId = rolloutId;
    this.#lane = lane;
    this.#buckets = bucketsOf(trafficBps);
  }

  get candidateVersion(): string {
    return this.#lane.modelVersion;
  }

  setTraffic(trafficBps: number): void {
    this.#buckets = bucketsOf(trafficBps);
  }

  /** The same keys are copied throughout, so that what is compared is whole sessions of few callers. */
  takes(key: string | undefined): boolean {
    return key !== undefined && bucketOf(this.rolloutId, key) < this.#buckets;
  }

  /**
   * Listens to the sink of a request that is about to be queued. `copy` then hands it to the candidate; it is called only
   * when the live version took it.
   */
  pair(sink: ReplySink): { readonly sink: ReplySink; readonly copy: (request: InferRequest) => void } {
    const { counts } = this;
    let stable: readonly KeptOutput[] | undefined;
    let candidate: readonly KeptOutput[] | 'failed' | undefined;
    const meet = (): void => {
      if (stable === undefined || candidate === undefined) return;
      if (candidate === 'failed') counts.failed += 1;
      else comparePair(counts, stable, candidate);
    };
    const shadow: ReplySink = {
      reply: (reply) => {
        candidate = keepOutputs(reply);
        meet();
      },
      fail: ({ code }) => {
        // Not begun in time, or the rollout ended: nothing is known of the candidate.
        if (code === 'DEADLINE_EXCEEDED' || code === 'SHUTTING_DOWN') {
          counts.dropped += 1;
          return;
        }
        candidate = 'failed';
        meet();
      },
    };
    return {
      sink: {
        reply: (reply) => {
          // The caller first.
          sink.reply(reply);
          stable = keepOutputs(reply);
          meet();
        },
        fail: (error) => {
          sink.fail(error);
        },
      },
      copy: (request) => {
        if (this.#lane.send(request, shadow)) counts.sent += 1;
        else counts.dropped += 1;
      },
    };
  }

  close(): Promise<void> {
    return this.#lane.close();
  }
}

function bucketsOf(trafficBps: number): number {
  return (trafficBps * bucketCount) / bpsAll;
}
