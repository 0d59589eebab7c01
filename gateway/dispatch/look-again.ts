/**
 * The clock beside batches that wait for more: one timer for the earliest of them. It is only armed for models that were
 * given a delay.
 */
import { performance } from 'node:perf_hooks';

/** The platform's timers are no finer; what is nearer is waited for turn by turn of the event loop. Milliseconds. */
const timerMsMin = 2;

export class LookAgain {
  readonly #look: () => void;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;
  #atMs = Infinity;

  constructor(look: () => void) {
    this.#look = look;
  }

  /** Looks at `atMs`, or before if it is to look earlier already; Infinity asks for nothing. */
  arm(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#atMs = atMs;
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    const leftMs = this.#atMs - performance.now();
    // Two requests of a burst are microseconds apart: to sleep for a whole millisecond would cost more than is gained.
    if (leftMs < timerMsMin) this.#turn = setImmediate(this.#wake);
    else this.#timer = setTimeout(this.#wake, leftMs - 1);
  }

  readonly #wake = (): void => {
    if (performance.now() < this.#atMs) {
      this.#schedule();
      return;
    }
    this.#atMs = Infinity;
    this.#look();
  };
}
