/**
 * How long to wait before a process that ended by itself is started again: hardly, if it served for a while, and twice as
 * long each time if it did not, so that a fault at the start does not keep a core busy. A pure decision.
 */

const delayMsMin = 100;
const delayMsMax = 30_000;
/** A process that lived this long was well when it started, milliseconds. */
const goodLifeMs = 60_000;

export class RestartDelay {
  #nextMs = delayMsMin;

  /** Milliseconds to wait after a process lived for `livedMs`. */
  after(livedMs: number): number {
    if (livedMs >= goodLifeMs) this.#nextMs = delayMsMin;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, delayMsMax);
    return delayMs;
  }
}
