/**
 * Decides whether a candidate must go back. The unit is the key: the hash that divides traffic divides callers, so only
 * the first failure of each caller is evidence. Counting every request would call a candidate worse because one busy
 * caller, who always fails, happens to meet it.
 */
import { type Arm, ArmEvidence, logEvidence } from './arm-evidence.ts';
import { KeySet } from './key-set.ts';

export interface JudgeOptions {
  /** Chance that a candidate which is no worse is ever rolled back. Default 0.01. */
  readonly falseRollbackMax: number;
  /** Times as many failures as the stable version that are tolerated. Default 1.2. */
  readonly tolerated: number;
  /** Smallest difference of the failure rates, of requests, that matters. Default 0.001. */
  readonly rateDifferenceMin: number;
  /** Callers that the candidate must have met before failures are compared; 0 compares at once. Default 30. */
  readonly candidateKeysMin: number;
  /** So many callers in a row to whom the candidate failed end it, whatever the statistics say. Default 5. */
  readonly failuresInARowMax: number;
}

export interface Outcome {
  readonly arm: Arm;
  /** Share of the candidate when the request was routed, 0 to 1. */
  readonly share: number;
  /** Unsigned 32-bit hash of the key, from another seed than the one that divides. */
  readonly keyHash: number;
  readonly failed: boolean;
}

export interface Verdict {
  readonly kind: 'rollback' | 'hold' | 'healthy';
  /** One sentence with the numbers, for people. */
  readonly reason: string;
}

const defaults: JudgeOptions = {
  falseRollbackMax: 0.01,
  tolerated: 1.2,
  rateDifferenceMin: 0.001,
  candidateKeysMin: 30,
  failuresInARowMax: 5,
};

export class CanaryJudge {
  readonly #options: JudgeOptions;
  readonly #failures = new ArmEvidence();
  readonly #failedKeys = new KeySet();
  readonly #candidateKeys = new KeySet();
  readonly #requests = { candidate: 0, stable: 0 };
  readonly #failed = { candidate: 0, stable: 0 };
  #failuresInARow = 0;
  /** The largest so far: evidence that was there once is not taken back (Ville's inequality is about the largest). */
  #logEvidenceMax = -Infinity;

  constructor(options: Partial<JudgeOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  record({ arm, share, keyHash, failed }: Outcome): void {
    this.#requests[arm] += 1;
    if (arm === 'candidate') this.#candidateKeys.add(keyHash);
    if (!failed) {
      if (arm === 'candidate') this.#failuresInARow = 0;
      return;
    }
    this.#failed[arm] += 1;
    if (!this.#failedKeys.add(keyHash)) return;
    if (arm === 'candidate') this.#failuresInARow += 1;
    this.#failures.add(arm, share);
    const log = logEvidence(this.#failures.counts, this.#options.tolerated);
    this.#logEvidenceMax = Math.max(this.#logEvidenceMax, log);
  }

  judge(): Verdict {
    const { falseRollbackMax, tolerated, rateDifferenceMin, candidateKeysMin, failuresInARowMax } =
      this.#options;
    if (this.#failuresInARow >= failuresInARowMax) {
      return {
        kind: 'rollback',
        reason: `the candidate failed ${this.#failuresInARow} callers in a row and answered none between`,
      };
    }
    const keys = this.#candidateKeys.size;
    if (keys < candidateKeysMin) {
      return { kind: 'hold', reason: `the candidate met ${keys} callers of the ${candidateKeysMin} needed` };
    }
    const rates = `${this.#rateText('candidate')}, ${this.#rateText('stable')}`;
    const isProven = this.#logEvidenceMax >= -Math.log(falseRollbackMax);
    if (isProven && this.#rate('candidate') - this.#rate('stable') >= rateDifferenceMin) {
      const chance = Math.exp(-this.#logEvidenceMax).toPrecision(2);
      return {
        kind: 'rollback',
        reason: `${rates}; a candidate that fails at most ${tolerated} times as often would look like this with a chance of ${chance} at most`,
      };
    }
    return { kind: 'healthy', reason: `${rates}; nothing shows that it is worse` };
  }

  #rate(arm: Arm): number {
    return this.#requests[arm] === 0 ? 0 : this.#failed[arm] / this.#requests[arm];
  }

  #rateText(arm: Arm): string {
    return `${arm} failed ${this.#failed[arm]} of ${this.#requests[arm]} requests`;
  }
}
