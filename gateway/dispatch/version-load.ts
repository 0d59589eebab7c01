/**
 * What each loaded version has in hand at this moment, in rows and as work for replicas: read from the queues and from the
 * batches that run. Copies for a shadow never come here, they have queues and a thread of their own.
 */
import { targetRows } from '../scale/target-rows.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { RequestQueue } from './request-queue.ts';

export interface VersionLoad {
  readonly generation: ModelGeneration;
  /** Running and waiting. */
  readonly rows: number;
  /** The same over what one replica should have in hand: see gateway/scale/target-rows.ts. */
  readonly work: number;
  /** What one replica should have in hand, in the shapes that most requests have. */
  readonly targetRows: number;
  /** Batches that run. */
  readonly running: number;
}

type Growing = { -readonly [Key in keyof VersionLoad]: VersionLoad[Key] };

/** Versions that were never asked anything are left out. */
export function versionLoads(
  queues: Iterable<RequestQueue>,
  batches: Iterable<{ readonly queue: RequestQueue; readonly rows: number }>,
  nowMs: number,
): Iterable<VersionLoad> {
  const runningOf = new Map<RequestQueue, { rows: number; batches: number }>();
  for (const { queue, rows } of batches) {
    const running = runningOf.get(queue) ?? { rows: 0, batches: 0 };
    runningOf.set(queue, { rows: running.rows + rows, batches: running.batches + 1 });
  }
  const loads = new Map<ModelGeneration, Growing>();
  for (const queue of queues) {
    const { generation } = queue;
    const target = targetRowsOf(queue, nowMs);
    const running = runningOf.get(queue) ?? { rows: 0, batches: 0 };
    const rows = queue.waitingRows + running.rows;
    let load = loads.get(generation);
    if (load === undefined) {
      load = { generation, rows: 0, work: 0, targetRows: target, running: 0 };
      loads.set(generation, load);
    }
    load.rows += rows;
    load.work += rows / target;
    load.running += running.batches;
    if (queue.isCommon) load.targetRows = target;
  }
  return loads.values();
}

function targetRowsOf({ costs, rowsMax }: RequestQueue, nowMs: number): number {
  return targetRows({
    rowsMax,
    oneMs: costs.typicalMs(1, nowMs),
    fullMs: costs.typicalMs(rowsMax, nowMs),
  });
}
