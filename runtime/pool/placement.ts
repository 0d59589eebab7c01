/**
 * Decides which lanes hold a session, and for how many lanes there is room. Pure: the same situation gives the same lanes.
 * What holds it already goes on holding it as long as it may, so that a change of the number loads or unloads no more than
 * the difference.
 */

export interface PlacementRequest {
  /** How many lanes are to hold it. At least 1; more than there are lanes is as many as there are. */
  readonly wanted: number;
  /** Indexes of the lanes that hold it already. */
  readonly held: ReadonlySet<number>;
  /** How many sessions each lane holds, by index. */
  readonly loads: readonly number[];
}

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

/** Indexes of lanes, ascending: of those that hold it the least loaded stay, then the least loaded of the others come. */
export function placeReplicas({ wanted, held, loads }: PlacementRequest): readonly number[] {
  const byPreference = loads
    .map((load, lane) => ({ lane, load, isHeld: held.has(lane) }))
    .sort((a, b) => Number(b.isHeld) - Number(a.isHeld) || a.load - b.load || a.lane - b.lane);
  return byPreference
    .slice(0, Math.max(1, wanted))
    .map(({ lane }) => lane)
    .sort((a, b) => a - b);
}
