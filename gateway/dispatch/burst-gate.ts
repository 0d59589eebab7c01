/**
 * Gathers bursts: requests that arrive together join one batch. The flush runs behind all that one turn of the event
 * loop brought, and waits for the next turn as long as turns keep bringing more, up to a limit that is less than a run
 * costs. A turn without news costs a few microseconds, a run that could have been shared ten times as much. Where one request
 * after the other came alone and stayed so, the next one that comes alone is not held at all.
 */
import { performance } from 'node:perf_hooks';

/** Longest time that requests wait for others of their burst, milliseconds. docs/benchmarks.md, November 2026. */
const gatherMsMax = 0.1;
/** After so many on end that nobody joined, a lone request is taken for one of a caller who asks one thing at a time. */
const loneMin = 8;

export interface BurstGateOptions {
  /** Whether another turn could add to the batch that would go now. */
  readonly mayWait: () => boolean;
  readonly flush: () => void;
}

export class BurstGate {
  readonly #options: BurstGateOptions;
  /** Since the last flush. */
  #arrived = 0;
  #arrivedBeforeTurn = 0;
  #firstTurnMs = 0;
  /** Flushes on end that were of one request. */
  #lone = 0;

  constructor(options: BurstGateOptions) {
    this.#options = options;
  }

  /** Something waits that was not there before. */
  arrived(): void {
    this.#arrived += 1;
    if (this.#arrived > 1) return;
    this.#firstTurnMs = performance.now();
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (this.#mayGrow()) {
      this.#arrivedBeforeTurn = this.#arrived;
      setImmediate(this.#turn);
      return;
    }
    this.#lone = this.#arrived === 1 ? this.#lone + 1 : 0;
    this.#arrived = 0;
    this.#arrivedBeforeTurn = 0;
    this.#options.flush();
  };

  #mayGrow(): boolean {
    if (this.#arrived === this.#arrivedBeforeTurn) return false;
    if (this.#arrived === 1 && this.#lone >= loneMin) return false;
    return this.#options.mayWait() && performance.now() - this.#firstTurnMs < gatherMsMax;
  }
}
