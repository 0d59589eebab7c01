/**
 * How long one call may live: until its deadline or until its AbortSignal fires, whichever comes first.
 * Invariant: it ends at most once, and after `dispose` it holds no timer and no listener.
 */
import type { Clock } from './clock.ts';
import { TidegateError } from './tidegate-error.ts';

export interface CallScopeOptions {
  /** Milliseconds from now; Infinity for no deadline. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
}

export class CallScope {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #endsAtMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #cancelTimer: (() => void) | undefined;
  readonly #listeners = new Set<(error: TidegateError) => void>();
  #ended: TidegateError | undefined;

  /** Throws INVALID_ARGUMENT for a deadline that is no positive number. */
  constructor({ deadlineMs, signal, clock }: CallScopeOptions) {
    if (!(deadlineMs > 0)) {
      throw new TidegateError(
        'INVALID_ARGUMENT',
        `deadlineMs is ${deadlineMs}; give the milliseconds that the call may take, or Infinity.`,
      );
    }
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#endsAtMs = clock.nowMs() + deadlineMs;
    this.#signal = signal;
    this.#onAbort = () => {
      this.end(new TidegateError('ABORTED', 'The call was aborted.', { cause: signal?.reason }));
    };
    if (signal?.aborted === true) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (deadlineMs !== Infinity) {
      this.#cancelTimer = clock.after(deadlineMs, () => {
        this.end(this.#deadlineError());
      });
    }
  }

  /** Why the call must not go on, or undefined while it may. */
  whyEnded(): TidegateError | undefined {
    return this.#ended;
  }

  /** Milliseconds that are left; Infinity without a deadline. */
  remainingMs(): number {
    return this.#endsAtMs - this.#clock.nowMs();
  }

  /** Calls `listener` when the scope ends; at once when it has. Returns what takes it back. */
  onEnd(listener: (error: TidegateError) => void): () => void {
    if (this.#ended !== undefined) {
      listener(this.#ended);
      return () => undefined;
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Waits `delayMs`; rejects with the error of the scope when that ends first. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(delayMs, () => {
        forget();
        resolve();
      });
      const forget = this.onEnd((error) => {
        cancel();
        reject(error);
      });
    });
  }

  dispose(): void {
    this.#cancelTimer?.();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#listeners.clear();
  }

  /** Ends it early, for a client that is closed. */
  end(error: TidegateError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    const listeners = [...this.#listeners];
    this.dispose();
    for (const listener of listeners) listener(error);
  }

  #deadlineError(): TidegateError {
    return new TidegateError(
      'DEADLINE_EXCEEDED',
      `There was no answer within ${this.#deadlineMs} ms. Allow more time, or find out what the gateway waits for.`,
    );
  }
}
