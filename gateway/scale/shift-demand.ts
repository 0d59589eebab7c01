/**
 * How many replicas a version needs before a share of the traffic moves to it: the same part of what carries the traffic
 * now, or of what the work of all versions asks for where that is more. A version that takes all of it is to be as large
 * as the one before, so that nobody waits for replicas that come only when the queue shows that they are missing.
 */

export interface ShiftDemand {
  /** Share of the traffic that it is about to have, 0 to 1. */
  readonly share: number;
  /** Replicas that the work of all versions of the model asks for, not rounded. */
  readonly demand: number;
  /** Replicas of the version that carries most of the traffic now. */
  readonly placed: number;
}

export function replicasForShare({ share, demand, placed }: ShiftDemand): number {
  return Math.ceil(Math.max(demand, placed) * share);
}
