/**
 * How one replica is planned to be used: the rows it should have in hand, running and waiting together, and how many it
 * then does in its time. Load is measured by the two. Rows and not requests, because rows are what a run costs: one request
 * of 64 rows is as much work as 64 of one.
 *
 * A model whose runs cost much the same whatever their rows should get larger batches before it gets more replicas; one
 * whose cost grows with every row gains nothing from them. So the plan follows from the cost model: the batch that does
 * most of what the largest could do in its time, twice in hand, because while one batch runs the next one gathers.
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

export interface ReplicaPlan {
  /** In hand, 2 at least. */
  readonly targetRows: number;
  /** What a row then takes of a replica's time, milliseconds; 0 where nothing was measured. */
  readonly rowMs: number;
}

/**
 * Taking the cost for a straight line, fixed + rows * each: it does not jump when a measurement does. Where nothing was
 * measured, full batches.
 */
export function replicaPlan({ rowsMax, oneMs, fullMs }: RunCurve): ReplicaPlan {
  if (rowsMax <= 1) return { targetRows: batchesInHand, rowMs: oneMs };
  const eachMs = Math.max(0, (fullMs - oneMs) / (rowsMax - 1));
  const fixedMs = Math.max(0, oneMs - eachMs);
  const wantedMs = fixedMs + rowsMax * eachMs * (1 - worthMin);
  const rows = wantedMs === 0 ? rowsMax : Math.max(1, (worthMin * rowsMax * fixedMs) / wantedMs);
  return { targetRows: batchesInHand * rows, rowMs: fixedMs / rows + eachMs };
}
