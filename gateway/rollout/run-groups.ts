/**
 * Which run times are compared. The requests of a batch share its time: counted one by one, a single slow run would look
 * like a hundred slow answers. So a run counts once, and each run of the candidate is set against those of the
 * stable version since the one before: of runs that are alike, each is as likely to be the slow one.
 *
 * A run counts for one of its callers, who counts once in each window. Whose turn it is, and how many runs are set against
 * each other, does not depend on how long anything took.
 */
import type { Arm } from './arm-evidence.ts';
import type { SeatTable } from './kept.ts';
import { seatOf, UnitLedger, type UnitOptions } from './unit-ledger.ts';

/** An answer, by the run that gave it. */
export interface RunAnswer {
  readonly arm: Arm;
  readonly keyHash: number;
  /** Never before that of an earlier answer. */
  readonly nowMs: number;
  /** Of its run: what is compared, and what tells the runs of one version apart. */
  readonly serviceMs: number;
}

/** More would hardly say more, and old ones tell of another hour of the machine. */
const groupRunsMax = 32;

export class RunGroups {
  readonly #ledger: UnitLedger;
  readonly #onGroup: (candidateMs: number, stableMs: readonly number[]) => void;
  /** The run of each version that counted last. */
  readonly #countedMs: Record<Arm, number> = { candidate: NaN, stable: NaN };
  /** Of the stable version, the last runs that wait for one of the candidate. */
  #stableMs: number[] = [];

  constructor(options: UnitOptions, onGroup: (candidateMs: number, stableMs: readonly number[]) => void) {
    this.#ledger = new UnitLedger(0, options);
    this.#onGroup = onGroup;
  }

  /** Whose runs counted when. The runs that wait for one of the candidate are few and not kept. */
  get tables(): readonly SeatTable[] {
    return this.#ledger.tables;
  }

  /** The answers of a run come one after the other. */
  answered({ arm, keyHash, nowMs, serviceMs }: RunAnswer): void {
    if (serviceMs === this.#countedMs[arm]) return;
    if (!this.#ledger.isSample(seatOf(keyHash), nowMs)) return;
    this.#countedMs[arm] = serviceMs;
    if (arm === 'stable') {
      if (this.#stableMs.length === groupRunsMax) this.#stableMs.shift();
      this.#stableMs.push(serviceMs);
      return;
    }
    if (this.#stableMs.length === 0) return;
    const stableMs = this.#stableMs;
    this.#stableMs = [];
    this.#onGroup(serviceMs, stableMs);
  }
}
