/**
 * Who is not taken because there is too much to do, and when he should come again: the forecast of the batcher's backlog
 * against the deadline of a request, and against nothing where the queue itself is full.
 */
import { type DeadlineForecast, checkDeadline } from '../admission/deadline-check.ts';
import { drainMs, forecast, type WorkerGroup } from '../batch/backlog.ts';
import type { BatchMember, BatchQueue } from '../batch/batch-queue.ts';
import type { Batcher } from '../batch/batcher.ts';
import { retryAfterMsDefault, type WireError } from '../wire/error-code.ts';
import { callerLimit, deadlineExceeded, overloaded, queueFull } from './failure-answers.ts';

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
    const { batcher, workersOf } = this.#options;
    const { queue, rows, level, deadlineMs } = request;
    const { costs, rowsMax } = queue;
    const newcomer = { queue, rows, level, dueMs: deadlineMs };
    const { waitMs, rideMs } = forecast(batcher, newcomer, { workers: workersOf(queue), nowMs });
    const seen: DeadlineForecast = {
      budgetMs: deadlineMs - nowMs,
      waitMs,
      rideMs,
      aloneMs: costs.typicalMs(rows, nowMs),
      fullMs: costs.carefulMs(rowsMax, nowMs),
      isFresh: costs.isFresh(nowMs),
    };
    const verdict = checkDeadline(seen);
    switch (verdict) {
      case 'in time':
        return undefined;
      case 'hopeless':
        return this.#again(deadlineExceeded, waitMs);
      case 'overloaded':
        return this.#again(overloaded, waitMs + rideMs);
    }
  }

  /** The queue is full, for everybody. */
  ofQueue(nowMs: number): WireError {
    const { batcher, anyWorkers } = this.#options;
    return this.#again(queueFull, drainMs(batcher, anyWorkers(), nowMs));
  }

  /** The caller has as much here as one caller may have. */
  ofCaller(queue: Queue, nowMs: number): WireError {
    return this.#again(callerLimit, this.#drainMs(queue, nowMs));
  }

  /** It was taken, and time went by. */
  ofMissed(queue: Queue, nowMs: number): WireError {
    return this.#again(deadlineExceeded, this.#drainMs(queue, nowMs));
  }

  #drainMs(queue: Queue, nowMs: number): number {
    return drainMs(this.#options.batcher, this.#options.workersOf(queue), nowMs);
  }

  /** Where nothing is known of what runs take, the usual advice. */
  #again(error: WireError, afterMs: number): WireError {
    return { ...error, retryAfterMs: afterMs > 0 ? afterMs : retryAfterMsDefault };
  }
}
