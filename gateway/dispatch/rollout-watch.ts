/**
 * Watches the two versions of a rollout and goes back to the live one by itself when the evidence says so. What counts as
 * evidence is the judge's business (gateway/rollout); here is what became of each request, and acting once.
 */
import { murmur3 } from '../route/murmur3.ts';
import { CanaryJudge, type Verdict } from '../rollout/canary-judge.ts';
import type { Outcome } from '../telemetry/version-metrics.ts';

export interface RolloutWatchOptions {
  /** Share of the keys that the candidate answers, above 0 and below 1 where there is something to compare. */
  readonly share: number;
  /** Told once, with the reason in words and numbers. */
  readonly rollBack: (reason: string) => void;
}

/** One request of a rollout, by its key; told what became of it. */
export interface Trial {
  readonly watch: RolloutWatch;
  readonly arm: 'candidate' | 'stable';
  /** Of the candidate when the request was routed. */
  readonly share: number;
  readonly keyHash: number;
}

/** The unit of analysis must not be read off the bucket: another seed than that of the buckets. */
const keySeed = 0x5bd1e995;

/** What a version can be blamed for. What the caller sent, or the gateway could not take, says nothing about it. */
const failures: ReadonlySet<Outcome> = new Set<Outcome>(['MODEL_FAILED', 'WORKER_LOST']);

export class RolloutWatch {
  readonly #judge = new CanaryJudge();
  readonly #rollBack: (reason: string) => void;
  #share: number;
  #isOver = false;

  constructor({ share, rollBack }: RolloutWatchOptions) {
    this.#share = share;
    this.#rollBack = rollBack;
  }

  /** The share grew or shrank; what was seen before still counts, at the share of its time. */
  setShare(share: number): void {
    this.#share = share;
  }

  get verdict(): Verdict {
    return this.#judge.judge();
  }

  trial(arm: Trial['arm'], key: string): Trial {
    return { watch: this, arm, share: this.#share, keyHash: murmur3(key, keySeed) };
  }

  ended({ arm, share, keyHash }: Trial, outcome: Outcome): void {
    const failed = failures.has(outcome);
    if (this.#isOver || (outcome !== 'OK' && !failed)) return;
    this.#judge.record({ arm, share, keyHash, failed });
    if (!failed || arm === 'stable') return;
    const verdict = this.#judge.judge();
    if (verdict.kind !== 'rollback') return;
    this.#isOver = true;
    this.#rollBack(verdict.reason);
  }
}
