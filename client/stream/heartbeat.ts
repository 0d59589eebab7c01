/**
 * Finds sockets that are dead without having closed: after a silence it asks for a sign of life, and gives the other
 * side a while to give one. A timer that fires late, as in a background tab, only makes it ask later.
 */
import type { Clock } from '../clock.ts';

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** Milliseconds of silence before it asks. */
  readonly intervalMs: number;
  /** Milliseconds after asking until the socket counts as dead. */
  readonly timeoutMs: number;
  readonly ask: () => void;
  readonly dead: () => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #heardAtMs: number;
  #cancel: () => void;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.nowMs();
    this.#cancel = this.#listenFor(options.intervalMs);
  }

  /** Anything at all came from the other side. */
  heard(): void {
    this.#heardAtMs = this.#options.clock.nowMs();
  }

  stop(): void {
    this.#cancel();
  }

  #listenFor(delayMs: number): () => void {
    const { clock, intervalMs, timeoutMs, ask, dead } = this.#options;
    return clock.after(delayMs, () => {
      const silentMs = clock.nowMs() - this.#heardAtMs;
      if (silentMs < intervalMs) {
        this.#cancel = this.#listenFor(intervalMs - silentMs);
        return;
      }
      const askedAtMs = clock.nowMs();
      this.#cancel = clock.after(timeoutMs, () => {
        if (this.#heardAtMs < askedAtMs) dead();
        else this.#cancel = this.#listenFor(intervalMs);
      });
      ask();
    });
  }
}
