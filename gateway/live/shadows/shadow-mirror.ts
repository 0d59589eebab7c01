/**
 * Copies a share of one model's requests to a shadow candidate and compares the two answers. The caller gets the answer of
 * the live version and nothing else: its sink is only listened to, and it never waits.
 */
import type { RequestMirror } from '../../dispatch/request-mirror.ts';
import type { ReplySink } from '../../dispatch/request-queue.ts';
import {
  type ComparisonCounts,
  comparePair,
  keepOutputs,
  noComparisons,
} from '../../rollout/output-comparison.ts';
import { bucketCount, bucketOf } from '../../route/bucket-table.ts';
import type { WireError } from '../../wire/error-code.ts';
import type { InferReply, OutputColumn } from '../../wire/infer-request.ts';
import type { ShadowLane } from './shadow-lane.ts';

export interface ShadowMirrorOptions {
  readonly modelName: string;
  /** Also the salt of the hash. */
  readonly rolloutId: string;
  /** Share of the keys whose requests are copied, in hundredths of a percent. */
  readonly trafficBps: number;
  readonly lane: Pick<ShadowLane, 'modelVersion' | 'send' | 'reportFault' | 'close'>;
}

/** Those of the comparison, and what did not come so far. */
export interface ShadowCounts extends ComparisonCounts {
  /** Copies that were handed to the candidate. */
  sent: number;
  /** Copies that were not run: for want of room or time, or because callers waited. */
  dropped: number;
  /** Copies to which the candidate had no answer while the live version had one. */
  failed: number;
}

const bpsAll = 10_000;

export class ShadowMirror implements RequestMirror {
  readonly modelName: string;
  readonly rolloutId: string;
  readonly counts: ShadowCounts = { ...noComparisons(), sent: 0, dropped: 0, failed: 0 };
  readonly #lane: ShadowMirrorOptions['lane'];
  #trafficBps: number;

  constructor({ modelName, rolloutId, trafficBps, lane }: ShadowMirrorOptions) {
    this.modelName = modelName;
    this.rolloutId = rolloutId;
    this.#lane = lane;
    this.#trafficBps = trafficBps;
  }

  get trafficBps(): number {
    return this.#trafficBps;
  }

  get candidateVersion(): string {
    return this.#lane.modelVersion;
  }

  setTraffic(trafficBps: number): void {
    this.#trafficBps = trafficBps;
  }

  /** The same keys are copied throughout, so that what is compared is whole sessions of few callers. */
  takes(key: string | undefined): boolean {
    return key !== undefined && bucketOf(this.rolloutId, key) < bucketsOf(this.#trafficBps);
  }

  pair(sink: ReplySink): ReturnType<RequestMirror['pair']> {
    const pair = new AnswerPair(this.counts);
    return {
      sink: {
        reply: (reply) => {
          // The caller first.
          sink.reply(reply);
          this.#safely(() => {
            pair.stable(reply);
          });
        },
        fail: (error) => {
          sink.fail(error);
        },
        cached: (use) => {
          sink.cached?.(use);
        },
      },
      copy: (request, trial) => {
        if (this.#lane.send(request, pair, trial)) this.counts.sent += 1;
        else pair.drop();
      },
    };
  }

  close(): Promise<void> {
    return this.#lane.close();
  }

  /** What goes wrong with a comparison must not look to the dispatcher like an answer that could not be written. */
  #safely(listen: () => void): void {
    try {
      listen();
    } catch (fault) {
      this.#lane.reportFault(fault);
    }
  }
}

/** The two answers to one request, in the order they come; the sink of the copy. */
class AnswerPair implements ReplySink {
  readonly #counts: ShadowCounts;
  #stable: readonly OutputColumn[] | undefined;
  #candidate: readonly OutputColumn[] | 'failed' | 'dropped' | undefined;

  constructor(counts: ShadowCounts) {
    this.#counts = counts;
  }

  stable(reply: InferReply): void {
    if (this.#candidate === 'dropped') return;
    this.#stable = keepOutputs(reply);
    this.#meet();
  }

  reply(reply: InferReply): void {
    this.#candidate = keepOutputs(reply);
    this.#meet();
  }

  fail({ code }: WireError): void {
    // Not run in time, or the rollout ended: nothing is known of the candidate.
    if (code === 'DEADLINE_EXCEEDED' || code === 'SHUTTING_DOWN') {
      this.drop();
      return;
    }
    this.#candidate = 'failed';
    this.#meet();
  }

  drop(): void {
    this.#candidate = 'dropped';
    this.#counts.dropped += 1;
  }

  #meet(): void {
    const [stable, candidate] = [this.#stable, this.#candidate];
    if (stable === undefined || candidate === undefined || candidate === 'dropped') return;
    if (candidate === 'failed') this.#counts.failed += 1;
    else comparePair(this.#counts, stable, candidate);
  }
}

function bucketsOf(trafficBps: number): number {
  return (trafficBps * bucketCount) / bpsAll;
}
