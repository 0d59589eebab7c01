/**
 * Bounds the share of the time in which something may be busy. Time is saved up while it is not, and spent by what it does;
 * it may begin while anything is left, so that one long piece of work is followed by a long pause. Pure.
 */

/** Most that is saved up, milliseconds of work: what comes after a quiet time need not be spread out. */
const savedMsMax = 100;

export class BusyShare {
  readonly #share: number;
  #savedMs = savedMsMax;
  #lastMs = -Infinity;

  /** `percent` from 1 to 100; with 100 it may always begin. */
  constructor(percent: number) {
    this.#share = percent / 100;
  }

  mayBegin(nowMs: number): boolean {
    if (this.#share >= 1) return true;
    this.#save(nowMs);
    return this.#savedMs > 0;
  }

  /** It was busy for so long, and is done now. */
  spend(busyMs: number, nowMs: number): void {
    this.#save(nowMs);
    this.#savedMs -= busyMs;
  }

  #save(nowMs: number): void {
    const savedMs = Math.max(0, nowMs - this.#lastMs) * this.#share;
    this.#savedMs = Math.min(savedMsMax, this.#savedMs + savedMs);
    this.#lastMs = nowMs;
  }
}
