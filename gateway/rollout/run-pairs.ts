/**
 * Which run times are compared. The requests of a batch share its time: counted one by one, a single slow run would look
 * like a hundred slow answers. So a run counts once, and each run of the candidate is set against the last one of the
 * stable version before it: whatever slows the machine down is as likely to meet the one as the other.
 *
 * A run counts for one of its callers, who counts once in each window. Whose turn it is does not depend on how long
 * anything took, and both versions have the same number of runs, whatever their shares.
 */
import type { Arm } from './arm-evidence.ts';
import { seatOf, UnitLedger } from './unit-ledger.ts';

/** An answer, by the run that gave it. */
export interface RunAnswer {
  readonly arm: Arm;
  readonly keyHash: number;
  /** Never before that of an earlier answer. */
  readonly nowMs: number;
  /** As it was measured, milliseconds: tells the runs of one version apart. */
  readonly runMs: number;
  /** What is compared, milliseconds. */
  readonly serviceMs: number;
}

/** As the ledger of the judge has it for events. */
const units = { unit: 'key-window', windowMs: 60_000, windowsPerKeyMax: 3, chronicShare: 1 } as const;

export class RunPairs {
  readonly #ledger = new UnitLedger(0, units);
  readonly #onPair: (candidateMs: number, stableMs: number) => void;
  /** The run of each version that counted last. */
  readonly #countedMs: Record<Arm, number> = { candidate: NaN, stable: NaN };
  /** Of the stable version, the run that waits for one of the candidate; NaN without. */
  #stableMs = NaN;

  constructor(onPair: (candidateMs: number, stableMs: number) => void) {
    this.#onPair = onPair;
  }

  /** The answers of a run come one after the other. */
  answered({ arm, keyHash, nowMs, runMs, serviceMs }: RunAnswer): void {
    if (runMs === this.#countedMs[arm]) return;
    if (!this.#ledger.isSample(seatOf(keyHash), nowMs)) return;
    this.#countedMs[arm] = runMs;
    if (arm === 'stable') {
      this.#stableMs = serviceMs;
      return;
    }
    if (Number.isNaN(this.#stableMs)) return;
    const stableMs = this.#stableMs;
    this.#stableMs = NaN;
    this.#onPair(serviceMs, stableMs);
  }
}
