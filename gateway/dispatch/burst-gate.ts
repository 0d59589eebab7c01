/**
 * Gathers bursts: requests that arrive together join one batch. The flush runs behind all that one turn of the event
 * loop brought, and waits for the next turn as long as turns keep bringing more, up to a limit that is less than a run
 * costs. A turn without news costs a few microseconds, a run that could have been shared ten times as much.
 */
import { performance } from 'node:perf_hooks';

/** Longest time that requests wait for others of their burst, milliseconds. docs/benchmarks.md, November 2026. */
const gatherMsMax = 0.1;

export interface BurstGateOptions {
  /** Whether another turn could add to the batch that would go now. */
  readonly mayWait: () => boolean;
  readonly flush: () => void;
}

export class BurstGate {
  readonly #options: BurstGateOptions;
  #scheduled = false;
  #arrivedSinceTurn = false;
  #firstTurnMs = 0;

  constructor(options: BurstGateOptions) {
    this.#options = options;
  }

  /** Something waits that was not there before. */
  arrived(): void {
    this.#arrivedSinceTurn = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#firstTurnMs = performance.now();
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const { mayWait, flush } = this.#options;
    if (this.#arrivedSinceTurn && mayWait() && performance.now() - this.#firstTurnMs < gatherMsMax) {
      this.#arrivedSinceTurn = false;
      setImmediate(this.#turn);
      return;
    }
    this.#scheduled = false;
    flush();
  };
}
