/**
 * The line of requests that wait for a model to be loaded: how much may wait, and whether waiting is worth it. Pure; who
 * waits and what is loaded is known elsewhere.
 *
 * Invariant: never more than `coldRowsMax` rows or `coldBytesMax` bytes wait.
 */
import type { Limits } from '../admission/limits.ts';

export type ColdLimits = Pick<Limits, 'coldRowsMax' | 'coldBytesMax' | 'coldWaitMsMax'>;

export interface ColdLoad {
  readonly rows: number;
  readonly bytes: number;
}

/** `late`: the model will not be there in time, so that waiting only takes room from others. */
export type ColdVerdict = 'waits' | 'full' | 'late';

export class ColdLine {
  readonly #limits: ColdLimits;
  #rows = 0;
  #bytes = 0;

  constructor(limits: ColdLimits) {
    this.#limits = limits;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes that they keep. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How long a request may wait that wants its answer within so many milliseconds, or does not say. */
  waitMsMax(dueWithinMs: number | undefined): number {
    return Math.min(dueWithinMs ?? Infinity, this.#limits.coldWaitMsMax);
  }

  /** When it waits, `leave` is called once with the same. `expectedMs`: until the model should be there. */
  admit(
    { rows, bytes }: ColdLoad,
    { dueWithinMs, expectedMs }: { readonly dueWithinMs: number | undefined; readonly expectedMs: number },
  ): ColdVerdict {
    if (expectedMs > this.waitMsMax(dueWithinMs)) return 'late';
    const { coldRowsMax, coldBytesMax } = this.#limits;
    if (this.#rows + rows > coldRowsMax || this.#bytes + bytes > coldBytesMax) return 'full';
    this.#rows += rows;
    this.#bytes += bytes;
    return 'waits';
  }

  leave({ rows, bytes }: ColdLoad): void {
    this.#rows -= rows;
    this.#bytes -= bytes;
  }
}
