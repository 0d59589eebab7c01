/**
 * Notices a run that does not come back. One timer for all runs of a lane, set anew only when it fires or would fire too
 * late, because a timer for each run would cost more than the smallest runs take.
 */
import { performance } from 'node:perf_hooks';

export class RunWatchdog {
  readonly #onOverdue: (limitMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #lastLook: NodeJS.Immediate | undefined;
  /** When the timer fires. */
  #wakesMs = Infinity;
  /** What is watched now, until when; `Infinity` while nothing is. */
  #untilMs = Infinity;
  #limitMs = 0;

  /** `onOverdue` is called once for each run that was begun and did not end within its limit, milliseconds. */
  constructor(onOverdue: (limitMs: number) => void) {
    this.#onOverdue = onOverdue;
  }

  begin(limitMs: number): void {
    this.#limitMs = limitMs;
    this.#untilMs = performance.now() + limitMs;
    if (this.#untilMs < this.#wakesMs) this.#wakeAt(this.#untilMs);
  }

  /** It came back. */
  end(): void {
    this.#untilMs = Infinity;
  }

  close(): void {
    this.end();
    clearTimeout(this.#timer);
    clearImmediate(this.#lastLook);
    this.#wakesMs = Infinity;
  }

  #wakeAt(wakesMs: number): void {
    clearTimeout(this.#timer);
    this.#wakesMs = wakesMs;
    // A run that is waited for keeps the process alive by itself.
    this.#timer = setTimeout(this.#wake, Math.ceil(wakesMs - performance.now())).unref();
  }

  /** An event loop that stood still comes to its timers before it reads what came back meanwhile, which counts. */
  readonly #wake = (): void => {
    this.#wakesMs = Infinity;
    this.#lastLook = setImmediate(this.#look);
  };

  readonly #look = (): void => {
    if (performance.now() < this.#untilMs) {
      if (this.#untilMs < this.#wakesMs) this.#wakeAt(this.#untilMs);
      return;
    }
    this.end();
    this.#onOverdue(this.#limitMs);
  };
}
