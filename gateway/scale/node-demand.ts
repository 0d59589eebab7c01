/**
 * How many nodes like this one the work of this one is for: what a cluster scales by. Over all nodes it adds up, so that
 * the sum is the number of nodes there should be.
 */

export interface NodeWork {
  /** Of all versions that run on threads, in replicas: what is in hand, or was answered where that is more. */
  readonly threadWork: number;
  readonly threads: number;
  /** Share of the event loop's time that models run on it. */
  readonly inlineShare: number;
}

/** Not rounded, 0 for nothing to do. Threads and event loop work side by side: the one that has more to do counts. */
export function desiredNodes(
  { threadWork, threads, inlineShare }: NodeWork,
  utilizationTarget: number,
): number {
  return Math.max(threadWork / threads, inlineShare) / utilizationTarget;
}
