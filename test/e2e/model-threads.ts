/**
 * The threads that the gateway starts, caught as they are born, so that a test can end one as a crash would. The pool
 * gives no access to them, and should not: this listens to what every `Worker` of this process is sent first.
 */
import { Worker } from 'node:worker_threads';

export class ModelThreads {
  readonly #born = new Set<Worker>();
  readonly #restore: () => void;

  constructor() {
    const born = this.#born;
    const prototype = Worker.prototype as { postMessage: (this: Worker, ...message: unknown[]) => void };
    const original = prototype.postMessage;
    prototype.postMessage = function (this: Worker, ...message) {
      if (!born.has(this)) {
        born.add(this);
        this.once('exit', () => born.delete(this));
      }
      original.apply(this, message);
    };
    this.#restore = () => {
      prototype.postMessage = original;
    };
  }

  get alive(): number {
    return this.#born.size;
  }

  /** Ends the thread that has lived longest, in the middle of whatever it does. */
  async killOldest(): Promise<void> {
    const [oldest] = this.#born;
    if (oldest === undefined) throw new Error('no thread is alive');
    await oldest.terminate();
  }

  /** The same for any of them; `choice` is from 0 to below 1. False when none is alive. */
  async killOne(choice: number): Promise<boolean> {
    const alive = [...this.#born];
    const chosen = alive[Math.floor(choice * alive.length)];
    await chosen?.terminate();
    return chosen !== undefined;
  }

  /** Stops listening. */
  restore(): void {
    this.#restore();
  }
}
