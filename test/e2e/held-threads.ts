/**
 * Threads whose runs or loads last as long as a test wants, whatever the machine does meanwhile: what is to happen while
 * something is under way needs no model that is slow enough for it, and no luck.
 */
import { setEnvironmentData } from 'node:worker_threads';

/** Places in the memory that is shared with held-worker.mjs: 1 holds, 0 lets go; and how many tasks were held so far. */
const places = { run: 0, load: 1, counted: 2 } as const;

export class HeldThreads {
  readonly workerFile: URL = new URL('held-worker.mjs', import.meta.url);
  readonly #gate = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));

  /** Threads that are started with `workerFile` from now on can be held. */
  constructor() {
    setEnvironmentData('tidegate-held-threads', this.#gate);
  }

  /** Tasks that came to a thread while they were held. */
  get counted(): number {
    return Atomics.load(this.#gate, places.counted);
  }

  /** Those that begin from now on do not come back. */
  hold(kind: 'run' | 'load'): void {
    Atomics.store(this.#gate, places[kind], 1);
  }

  release(): void {
    for (const place of [places.run, places.load]) {
      Atomics.store(this.#gate, place, 0);
      Atomics.notify(this.#gate, place);
    }
  }
}
