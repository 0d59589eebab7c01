/** Lets so many pieces of work go on at once; the others wait, in the order they came. */
import { FifoQueue } from '../../batch/fifo-queue.ts';

export class Turns {
  readonly #waiting = new FifoQueue<() => void>();
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  async take<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#free > 0) this.#free -= 1;
    else
      await new Promise<void>((go) => {
        this.#waiting.push(go);
      });
    try {
      return await work();
    } finally {
      // The turn is handed on, not given back: nobody who comes later gets in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
