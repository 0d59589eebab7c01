/**
 * What each loaded version has in hand at this moment, in rows and as work for replicas: read from the queues and from the
 * batches that run. Copies for a shadow never come here, they have queues and a thread of their own.
 */
import { type ReplicaPlan, replicaPlan } from '../scale/replica-plan.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { RequestQueue } from './request-queue.ts';

export interface VersionLoad {
  readonly generation: ModelGeneration;
  /** Running and waiting. */
  readonly rows: number;
  /** The same over what one replica should have in hand: see `ReplicaPlan`. */
  readonly work: number;
  /** What those rows take of a replica's time in batches as planned, milliseconds. */
  readonly workMs: number;
  /** What one replica should have in hand, in the shapes that most requests have. */
  readonly targetRows: number;
}

type Growing = { -readonly [Key in keyof VersionLoad]: VersionLoad[Key] };

/** Versions that were never asked anything are left out. */
export function versionLoads(
  queues: Iterable<RequestQueue>,
  batches: Iterable<{ readonly queue: RequestQueue; readonly rows: number }>,
  nowMs: number,
): Iterable<VersionLoad> {
  const running = new Map<RequestQueue, number>();
  for (const { queue, rows } of batches) running.set(queue, (running.get(queue) ?? 0) + rows);
  const loads = new Map<ModelGeneration, Growing>();
  for (const queue of queues) {
    const { generation } = queue;
    const { targetRows, rowMs } = planOf(queue, nowMs);
    const rows = queue.waitingRows + (running.get(queue) ?? 0);
    let load = loads.get(generation);
    if (load === undefined) {
      load = { generation, rows: 0, work: 0, workMs: 0, targetRows };
      loads.set(generation, load);
    }
    load.rows += rows;
    load.work += rows / targetRows;
    load.workMs += rows * rowMs;
    if (queue.isCommon) load.targetRows = targetRows;
  }
  return loads.values();
}

function planOf({ costs, rowsMax }: RequestQueue, nowMs: number): ReplicaPlan {
  return replicaPlan({
    rowsMax,
    oneMs: costs.typicalMs(1, nowMs),
    fullMs: costs.typicalMs(rowsMax, nowMs),
  });
}
