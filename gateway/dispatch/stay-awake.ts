/**
 * Keeps the event loop turning for a moment after an answer, so that whoever asks again at once does not wait until an
 * idle core has woken up. A sleeping thread costs its next request 20 to 40 us, more than a small model runs; an answer
 * costs at most `awakeMsMax` of one core, and nothing while other requests keep the loop busy. docs/benchmarks.md.
 */
import { performance } from 'node:perf_hooks';

/** How long the loop goes on turning after the last answer, milliseconds. */
const awakeMsMax = 0.05;

export class StayAwake {
  #untilMs = 0;
  #turning = false;

  /** An answer went out. */
  answered(): void {
    this.#untilMs = performance.now() + awakeMsMax;
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (performance.now() < this.#untilMs) setImmediate(this.#turn);
    else this.#turning = false;
  };
}
