/** When a load may be said to have settled: what was measured does not move any more. Pure. */

/** What of a window must not move. */
export interface SettlingNumbers {
  readonly perSecond: number;
  readonly percentileUs: number;
}

/** Windows that must agree. */
export const agreeingWindows = 3;

/** Whether throughput and latency of the last three windows each lie within `share` of their mean, up and down. */
export function isStable(windows: readonly SettlingNumbers[], share: number): boolean {
  const last = windows.slice(-agreeingWindows);
  if (last.length < agreeingWindows) return false;
  return (
    agree(
      last.map(({ perSecond }) => perSecond),
      share,
    ) &&
    agree(
      last.map(({ percentileUs }) => percentileUs),
      share,
    )
  );
}

function agree(values: readonly number[], share: number): boolean {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return mean > 0 && values.every((value) => Math.abs(value - mean) <= share * mean);
}
