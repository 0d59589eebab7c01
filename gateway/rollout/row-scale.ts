/**
 * Brings the time of a run to what one row would have taken. The version with the larger share runs larger batches, and a
 * run of many rows takes longer than a run of few: without this, the share would look like slowness.
 */
import type { RunCost } from '../../runtime/protocol/worker-task.ts';

/** `costs` of the live version for both, ascending by rows; without any, times stay as they are. */
export function rowScale(costs: readonly RunCost[], rows: number): number {
  const one = costUs(costs, 1);
  const many = costUs(costs, rows);
  return one === undefined || many === undefined || many <= 0 ? 1 : one / many;
}

/** Between two measured sizes on the line through them, beyond the last in proportion to the rows. */
function costUs(costs: readonly RunCost[], rows: number): number | undefined {
  const above = costs.find((cost) => cost.rows >= rows);
  const below = costs.findLast((cost) => cost.rows <= rows);
  if (above === undefined) return below === undefined ? undefined : (below.us * rows) / below.rows;
  if (below === undefined || above.rows === below.rows) return above.us;
  return below.us + ((above.us - below.us) * (rows - below.rows)) / (above.rows - below.rows);
}
