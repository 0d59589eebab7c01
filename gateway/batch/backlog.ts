/**
 * How long what waits will take, by what runs are known to cost: the forecast behind refusals at the door and behind the
 * advice when to come again. It reads the batcher and changes nothing.
 */
import type { BatchMember, BatchQueue } from './batch-queue.ts';
import type { Batcher } from './batcher.ts';
import type { ModelLine } from './model-line.ts';

/** The workers that can run a queue. */
export interface WorkerGroup<Queue> {
  readonly accepts: (queue: Queue) => boolean;
  /** How many of them there are, at least 1. */
  readonly lanes: number;
}

/** A request that has not arrived yet. */
export interface Newcomer<Queue> {
  readonly queue: Queue;
  readonly rows: number;
  readonly level: number;
  /** When it wants to go; see `dueMsOf`. */
  readonly dueMs: number;
}

export interface Forecast {
  /** Until the batch begins that it can be in, milliseconds. */
  readonly waitMs: number;
  /** What the run takes of it and of those before it that do not fill a batch, milliseconds. */
  readonly rideMs: number;
  /** From the end of that run until its answers should be with their callers, milliseconds. */
  readonly answerMs: number;
}

/**
 * What a newcomer has before it: the full batches of its own queue that go first, what other queues of its model and other
 * models get of the workers meanwhile, and what is left of the runs that are under way.
 */
export function forecast<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember>(
  batcher: Batcher<Queue, Member>,
  newcomer: Newcomer<Queue>,
  { workers, nowMs }: { readonly workers: WorkerGroup<Queue>; readonly nowMs: number },
): Forecast {
  const { queue, rows } = newcomer;
  const { costs, line } = queue;
  const fullRows = queue.rowsFor(Infinity);
  const rowsBefore = rowsAhead(newcomer);
  const batches = Math.floor(rowsBefore / fullRows);
  const ownMs = batches === 0 ? 0 : batches * costs.typicalMs(fullRows, nowMs);
  const rideRows = rowsBefore - batches * fullRows + rows;
  const rideMs = costs.typicalMs(rideRows, nowMs);
  const untilMs = ownMs + rideMs;
  let aheadMs = ownMs;
  for (const other of line.queues) {
    if (other !== queue && workers.accepts(other)) aheadMs += Math.min(other.workMs(nowMs), untilMs);
  }
  for (const other of batcher.lines) {
    if (other === line) continue;
    const shareMs = (untilMs * other.tuning.weight) / line.tuning.weight;
    aheadMs += Math.min(lineMs(other, workers, nowMs), shareMs);
  }
  const waitMs = (aheadMs + busyMs(batcher, workers, nowMs)) / workers.lanes;
  return { waitMs, rideMs, answerMs: queue.answerCosts.carefulMs(rideRows, nowMs) };
}

/** Until all that waits for these workers has been run, milliseconds. */
export function drainMs<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember>(
  batcher: Batcher<Queue, Member>,
  workers: WorkerGroup<Queue>,
  nowMs: number,
): number {
  let ms = busyMs(batcher, workers, nowMs);
  for (const line of batcher.lines) ms += lineMs(line, workers, nowMs);
  return ms / workers.lanes;
}

/** Rows of its queue that would go before it, taking all who wait there for alike. */
function rowsAhead<Queue extends BatchQueue<BatchMember, Queue>>(newcomer: Newcomer<Queue>): number {
  const { waiting, waitingRows } = newcomer.queue;
  const { length } = waiting;
  if (length === 0) return 0;
  return Math.round((waitingRows * waiting.countBefore(newcomer.level, newcomer.dueMs)) / length);
}

function lineMs<Queue extends BatchQueue<BatchMember, Queue>>(
  line: ModelLine<Queue>,
  { accepts }: WorkerGroup<Queue>,
  nowMs: number,
): number {
  let ms = 0;
  for (const queue of line.queues) {
    if (accepts(queue)) ms += queue.workMs(nowMs);
  }
  return ms;
}

/** What is left of the runs under way; nothing while a worker is free. */
function busyMs<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember>(
  batcher: Batcher<Queue, Member>,
  { accepts, lanes }: WorkerGroup<Queue>,
  nowMs: number,
): number {
  let [ms, runs] = [0, 0];
  for (const { queue, startedMs, predictedMs } of batcher.running) {
    if (!accepts(queue)) continue;
    runs += 1;
    ms += Math.max(0, startedMs + predictedMs - nowMs);
  }
  return runs < lanes ? 0 : ms;
}
