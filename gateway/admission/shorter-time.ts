/** Two times of which either may be missing: that of a message and that of what carried it. Pure. */

/** The one that is over first, milliseconds; undefined when there is none. */
export function shorter(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
