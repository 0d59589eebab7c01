/** One change at a time, and only so many that wait: whoever comes too much is told at once instead of timing out. */
import { type ControlFailure, refuse } from './control-error.ts';

export class ChangeQueue {
  readonly #queuedMax: number;
  #pending = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(queuedMax: number) {
    this.#queuedMax = queuedMax;
  }

  /** Runs `work` when what was asked for before is over, however it ended. Code: TOO_MANY_CHANGES. */
  async run<Value>(work: () => Promise<Value>): Promise<Value | ControlFailure> {
    if (this.#pending > this.#queuedMax) {
      return refuse(
        'TOO_MANY_CHANGES',
        `One change is being made and ${this.#queuedMax} wait (changesQueuedMax). Nothing was changed; try again.`,
      );
    }
    this.#pending += 1;
    const run = this.#last.then(work);
    this.#last = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      this.#pending -= 1;
    }
  }
}
