/**
 * How many rows one replica should have in hand, running and waiting together: the target that load is measured by. Rows
 * and not requests, because rows are what a run costs: one request of 64 rows is as much work as 64 of one.
 *
 * A model whose runs cost much the same whatever their rows should get larger batches before it gets more replicas; one
 * whose cost grows with every row gains nothing from them. So the target follows from the cost model: the rows of a batch
 * that does most of what the largest could do in its time, twice, because while one batch runs the next one gathers.
 */

/** Part of the throughput of full batches that the planned batch should reach. */
const worthMin = 0.8;
/** One runs, one gathers. */
const batchesInHand = 2;

export interface RunCurve {
  /** Most rows of a batch; 1 for models whose rows are not joined. */
  readonly rowsMax: number;
  /** What a run of one row takes, milliseconds. */
  readonly oneMs: number;
  /** What a run of `rowsMax` rows takes, milliseconds. */
  readonly fullMs: number;
}

/**
 * Rows, 2 at least. Taking the cost for a straight line, fixed + rows * each: it does not jump when a measurement does.
 * Where nothing was measured, full batches.
 */
export function targetRows({ rowsMax, oneMs, fullMs }: RunCurve): number {
  if (rowsMax <= 1) return batchesInHand;
  const eachMs = Math.max(0, (fullMs - oneMs) / (rowsMax - 1));
  const fixedMs = Math.max(0, oneMs - eachMs);
  const wantedMs = fixedMs + rowsMax * eachMs * (1 - worthMin);
  const rows = wantedMs === 0 ? rowsMax : (worthMin * rowsMax * fixedMs) / wantedMs;
  return batchesInHand * Math.max(1, rows);
}
