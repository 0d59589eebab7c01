/**
 * Decides which lanes hold a session. Pure: the same situation gives the same lanes.
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
