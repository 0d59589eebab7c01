/**
 * How callers fared before a rollout began. Who failed often before fails often still, whichever version he meets, so he
 * is no evidence about the candidate. Fixed memory; two callers in one seat are one.
 */
import { seatOf } from './unit-ledger.ts';

const seats = 2 ** 16;
const countMax = 255;
/** One failure is chance. */
const failuresMin = 2;

export class KeyHistory {
  readonly #requests = new Uint8Array(seats);
  readonly #failures = new Uint8Array(seats);

  /** `keyHash` is the same as that of the outcomes which the judge gets. */
  add(keyHash: number, failed: boolean): void {
    const seat = seatOf(keyHash);
    if (this.#requests[seat] === countMax) {
      this.#requests[seat] = countMax >>> 1;
      this.#failures[seat] = (this.#failures[seat] ?? 0) >>> 1;
    }
    this.#requests[seat] = (this.#requests[seat] ?? 0) + 1;
    if (failed) this.#failures[seat] = (this.#failures[seat] ?? 0) + 1;
  }

  /** Whether more than `chronicShare` of the caller's requests failed. */
  isChronic(keyHash: number, chronicShare: number): boolean {
    const seat = seatOf(keyHash);
    const failures = this.#failures[seat] ?? 0;
    return failures >= failuresMin && failures > chronicShare * (this.#requests[seat] ?? 0);
  }
}
