/**
 * Lets so many calls run at a time, has so many wait in line and refuses the rest: the backpressure of the HTTP client.
 * Invariant: a place that was given is given back exactly once, whatever becomes of the call.
 */
import type { CallScope } from './call-scope.ts';
import { TidegateError } from './tidegate-error.ts';

export class CallGate {
  readonly #inflightMax: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #inflight = 0;

  constructor(options: { readonly inflightMax: number; readonly waitingMax: number }) {
    this.#inflightMax = options.inflightMax;
    this.#waitingMax = options.waitingMax;
  }

  get inflight(): number {
    return this.#inflight;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves with what gives the place back. Rejects with QUEUE_FULL, or with the error of the scope. */
  enter(scope: CallScope): Promise<() => void> {
    const ended = scope.whyEnded();
    if (ended !== undefined) return Promise.reject(ended);
    if (this.#inflight < this.#inflightMax) return Promise.resolve(this.#take());
    if (this.#waiting.size >= this.#waitingMax) return Promise.reject(queueFull(this.#waitingMax));
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        forget();
        resolve(this.#take());
      };
      const forget = scope.onEnd((error) => {
        this.#waiting.delete(admit);
        reject(error);
      });
      this.#waiting.add(admit);
    });
  }

  #take(): () => void {
    this.#inflight += 1;
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      this.#inflight -= 1;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
  }
}

export function queueFull(waitingMax: number): TidegateError {
  return new TidegateError(
    'QUEUE_FULL',
    `${waitingMax} calls wait in this client already, which is its limit. Wait for answers before asking more.`,
  );
}
