/** For how many runs at once the cores of a machine have room. Pure. */

export interface CoreRoom {
  /** Cores that may be kept at work. */
  readonly cores: number;
  /** Threads that one run uses, each of which keeps one core at work while it lasts. At least 1. */
  readonly intraOpThreads: number;
}

/**
 * How many runs at once the cores have room for, at least 1. Threads of one run wait for each other at every operator, so
 * that with more runs than this all of them wait for those whose turn on a core has not come.
 */
export function runsAtOnce({ cores, intraOpThreads }: CoreRoom): number {
  return Math.max(1, Math.floor(cores / intraOpThreads));
}
