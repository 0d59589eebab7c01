/**
 * Who is not taken because there is too much to do, and when he should come again: the forecast of the batcher's backlog
 * against the deadline of a request, and against nothing where the queue itself is full.
 */
import type { CallerLack } from '../admission/caller-shares.ts';
import { checkDeadline, type DeadlineVerdict } from '../admission/deadline-check.ts';
import { drainMs, type Forecast, forecast, type WorkerGroup } from '../batch/backlog.ts';
import type { BatchMember, BatchQueue } from '../batch/batch-queue.ts';
import type { Batcher } from '../batch/batcher.ts';
import { retryAfterMsDefault, type WireError } from '../wire/error-code.ts';
import { callerLimits, deadlineExceeded, overloaded, queueFull } from './failure-answers.ts';

/** Most of those behind a newcomer who are asked whether it delays them. */
const askedMax = 4;

export interface OverloadRefusalsOptions<
  Queue extends BatchQueue<Member, Queue>,
  Member extends BatchMember,
> {
  readonly batcher: Batcher<Queue, Member>;
  /** The lanes that can run a queue. */
  readonly workersOf: (queue: Queue) => WorkerGroup<Queue>;
  /** All lanes, for requests whose queue is not known yet. */
  readonly anyWorkers: () => WorkerGroup<Queue>;
}

/** A request with a deadline that is about to be taken. */
export interface TimedRequest<Queue> {
  readonly queue: Queue;
  readonly rows: number;
  readonly level: number;
  readonly deadlineMs: number;
}

export class OverloadRefusals<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember> {
  readonly #options: OverloadRefusalsOptions<Queue, Member>;

  constructor(options: OverloadRefusalsOptions<Queue, Member>) {
    this.#options = options;
  }

  /** The refusal of a request that should not be answered in time; undefined when it should. */
  ofDeadline(request: TimedRequest<Queue>, nowMs: number): WireError | undefined {
    const seen = this.#forecast(request, nowMs);
    const { waitMs, rideMs } = seen;
    switch (this.#verdict(request, seen, nowMs)) {
      case 'hopeless':
        return this.#again(deadlineExceeded, waitMs);
      case 'overloaded':
        return this.#again(overloaded, waitMs + rideMs);
      case 'in time':
        if (!this.#delaysOthers(request, nowMs)) return undefined;
        return this.#again(overloaded, this.#drainMs(request.queue, nowMs));
    }
  }

  /** The queue is full, for everybody. */
  ofQueue(nowMs: number): WireError {
    const { batcher, anyWorkers } = this.#options;
    return this.#again(queueFull, drainMs(batcher, anyWorkers(), nowMs));
  }

  /** The caller has as much here as one caller may have. */
  ofCaller(queue: Queue, lack: CallerLack, nowMs: number): WireError {
    return this.#again(callerLimits[lack], this.#drainMs(queue, nowMs));
  }

  /** It was taken, and time went by. */
  ofMissed(queue: Queue, nowMs: number): WireError {
    return this.#again(deadlineExceeded, this.#drainMs(queue, nowMs));
  }

  /**
   * Whether others who were taken would be late because this one goes first: asked of a few of those behind it. Where all
   * have the same time there is nobody behind, and where all fit into one batch nobody is delayed by a run.
   */
  #delaysOthers({ queue, rows, level, deadlineMs }: TimedRequest<Queue>, nowMs: number): boolean {
    const line = queue.waiting.ofLevel(level);
    if (line === undefined || queue.waitingRows + rows <= queue.rowsMax) return false;
    const first = line.timedBefore(deadlineMs);
    const last = line.timedLength - 1;
    const step = Math.max(1, Math.ceil((last - first) / (askedMax - 1)));
    for (let at = first; at <= last; at = at < last ? Math.min(at + step, last) : at + 1) {
      const other = line.timedAt(at);
      if (other?.state !== 'waiting' || other.deadlineMs === undefined) continue;
      // What the newcomer would meet if it were due with that one is what that one meets once the newcomer is there.
      const behind = { queue, rows, level, deadlineMs: other.deadlineMs };
      if (this.#verdict(behind, this.#forecast(behind, nowMs), nowMs) !== 'in time') return true;
    }
    return false;
  }

  #forecast({ queue, rows, level, deadlineMs }: TimedRequest<Queue>, nowMs: number): Forecast {
    const { batcher, workersOf } = this.#options;
    const workers = workersOf(queue);
    return forecast(batcher, { queue, rows, level, dueMs: deadlineMs }, { workers, nowMs });
  }

  #verdict({ queue, rows, deadlineMs }: TimedRequest<Queue>, seen: Forecast, nowMs: number): DeadlineVerdict {
    const { costs, rowsMax } = queue;
    const { waitMs, rideMs, answerMs } = seen;
    // Not spread: in the profile of the simulated overload that took longer than all the rest of the door.
    return checkDeadline({
      waitMs,
      rideMs,
      answerMs,
      budgetMs: deadlineMs - nowMs,
      aloneMs: costs.typicalMs(rows, nowMs),
      fullMs: costs.carefulMs(rowsMax, nowMs),
      isFresh: costs.isFresh(nowMs),
    });
  }

  #drainMs(queue: Queue, nowMs: number): number {
    return drainMs(this.#options.batcher, this.#options.workersOf(queue), nowMs);
  }

  /** Where nothing is known of what runs take, the usual advice. */
  #again(error: WireError, afterMs: number): WireError {
    return { ...error, retryAfterMs: afterMs > 0 ? afterMs : retryAfterMsDefault };
  }
}
