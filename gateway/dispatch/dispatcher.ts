/**
 * Binds the batcher, the pool and the clock: gives admitted requests room, hands batches to free lanes and carries
 * answers back. Who runs when is the batcher's decision; this file knows no protocol.
 *
 * Invariants: a request that `submit` accepted is answered exactly once or abandoned by its client, also at close; its
 * memory is released exactly once, when it leaves.
 */
import { performance } from 'node:perf_hooks';
import type { Lane, LaneReply } from '../../runtime/pool/lane.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Ran, WorkerFailure } from '../../runtime/protocol/worker-task.ts';
import type { AdmittedRequest } from '../admission/check-request.ts';
import { Batcher } from '../batch/batcher.ts';
import { answerEvidence } from '../rollout/answer-evidence.ts';
import type { Outcome } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import { columnsOf, type RequestBatch } from './batch-tensors.ts';
import type { ModelGeneration } from './model-generation.ts';
import { BurstGate } from './burst-gate.ts';
import { DeadlineWatch } from './deadline-watch.ts';
import {
  cancelled,
  deadlineExceeded,
  failureAnswer,
  internalFault,
  queueFull,
  type RunFailure,
} from './failure-answers.ts';
import { type Filled, fillRows, type RowsToFill } from './fill-rows.ts';
import { InflightRequests } from './inflight-requests.ts';
import { LaneFeeder } from './lane-feeder.ts';
import { QueueDirectory } from './queue-directory.ts';
import type { Reservation, Submission } from './submission.ts';
import { PendingRequest, type RequestQueue } from './request-queue.ts';

export interface DispatcherOptions {
  readonly pool: WorkerPool;
  /** Most rows of one batch. */
  readonly batchRowsMax: number;
  /** Most rows that wait, over all models. */
  readonly queueRowsMax: number;
  /** A request failed for good, in the model or with its thread. */
  readonly onFailure: (generation: ModelGeneration, failure: RunFailure) => void;
  /** An invariant broke while a batch was answered; its requests were told INTERNAL. */
  readonly onFault: (fault: unknown) => void;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #batcher: Batcher<RequestQueue, PendingRequest>;
  readonly #queues: QueueDirectory;
  readonly #inflight = new InflightRequests<PendingRequest>();
  readonly #burst: BurstGate;
  readonly #deadlines: DeadlineWatch<PendingRequest>;
  readonly #feeder: LaneFeeder;
  #onEmpty: (() => void) | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#batcher = new Batcher({ queueRowsMax: options.queueRowsMax });
    this.#queues = new QueueDirectory({ arena: options.pool.pages, batchRowsMax: options.batchRowsMax });
    this.#feeder = new LaneFeeder({
      pool: options.pool,
      next: (accepts) => this.#next(accepts),
      settle: (batch, reply, startedMs) => {
        this.#settleSafely(batch, reply, startedMs);
      },
      onFault: (fault) => this.reportFault(fault).code,
    });
    this.#burst = new BurstGate({
      mayWait: () => this.#batcher.queuedRows < options.batchRowsMax,
      flush: () => {
        this.#feeder.feedAll();
      },
    });
    this.#deadlines = new DeadlineWatch((pending) => {
      if (this.#batcher.cancel(pending)) this.#answerFailure(pending, deadlineExceeded);
    });
  }

  /** Rows that wait for a lane. */
  get queuedRows(): number {
    return this.#batcher.queuedRows;
  }

  /** Requests that wait for a lane, by model version. */
  get waiting(): Iterable<{ readonly generation: ModelGeneration; readonly requests: number }> {
    return this.#queues.waiting();
  }

  /** Requests accepted and not yet answered. */
  get inflightRequests(): number {
    return this.#inflight.size;
  }

  /**
   * Takes a request: writes its elements into their batch slot and queues it. The bytes that the request was decoded
   * from may be reused as soon as this returns. A returned error is the answer; the sink is then not called.
   */
  submit(submission: Submission): PendingRequest | WireError {
    const { generation, request } = submission;
    if (generation.refusal !== undefined) return generation.refusal;
    if (!this.#batcher.hasRoomFor(request.rows)) return queueFull;
    const queue = this.#queues.enter(generation, request);
    const place = queue.slabs.place(request.rows);
    if (place === undefined) {
      this.#queues.leave(queue);
      return queueFull;
    }
    const { arena } = this.#options.pool;
    const strings = this.#fillSafely({ arena, slabs: queue.slabs, place, inputs: request.inputs });
    if (strings !== undefined && 'code' in strings) {
      queue.slabs.release(place);
      this.#queues.leave(queue);
      return strings;
    }
    const arrivedMs = performance.now();
    const { id, protocol, sink, trial, options, beginWithinMs } = submission;
    const deadlineMs = beginWithinMs === undefined ? undefined : arrivedMs + beginWithinMs;
    const { rows } = request;
    const parts = { rows, id, protocol, queue, sink, trial, place, strings, arrivedMs, deadlineMs, options };
    return this.#enqueue(new PendingRequest(parts));
  }

  /** Room for a request whose elements somebody else writes, into the slot that the reservation names. */
  reserve(generation: ModelGeneration, request: AdmittedRequest): Reservation | WireError {
    if (generation.refusal !== undefined) return generation.refusal;
    if (!this.#batcher.hasRoomFor(request.rows)) return queueFull;
    const queue = this.#queues.enter(generation, request);
    const place = queue.slabs.place(request.rows);
    if (place !== undefined) return { queue, place };
    this.#queues.leave(queue);
    return queueFull;
  }

  /** Ends a reservation that comes to nothing. */
  giveBack({ queue, place }: Reservation): void {
    queue.slabs.release(place);
    this.#queues.leave(queue);
  }

  /** Queues a request whose elements are in its reserved slot by now. */
  enqueue(pending: PendingRequest): PendingRequest | WireError {
    // Others may have come meanwhile.
    if (this.#batcher.hasRoomFor(pending.rows)) return this.#enqueue(pending);
    this.giveBack(pending);
    return queueFull;
  }

  /** A broken invariant of the gateway: the log gets what happened, the client the answer that is returned. */
  reportFault(fault: unknown): WireError {
    this.#options.onFault(fault);
    return internalFault;
  }

  /** The client is gone: its answer goes nowhere, and if the request still waits it is never run. */
  abandon(pending: PendingRequest): void {
    if (!this.#inflight.has(pending)) return;
    pending.abandoned = true;
    if (this.#batcher.cancel(pending)) this.#leave(pending, 'ABANDONED');
  }

  /** The client no longer wants it: true when it had not begun, and is answered CANCELLED by now. */
  cancel(pending: PendingRequest): boolean {
    if (!this.#inflight.has(pending) || !this.#batcher.cancel(pending)) return false;
    this.#answerFailure(pending, cancelled);
    return true;
  }

  /** Gives back what is kept for a generation. Only legal once it is drained. */
  forget(generation: ModelGeneration): void {
    this.#queues.forget(generation);
  }

  /** A lane became free on its own, after a start or after maintenance. */
  laneIdle(lane: Lane): void {
    this.#feeder.feed(lane);
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    while (this.#inflight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  /** Answers everything that is left, because the process will not live to run it. */
  failAll(error: WireError): void {
    for (const pending of this.#inflight.list()) {
      if (!pending.abandoned) {
        pending.sink.fail(error);
        pending.failedWith = error.code;
      }
      this.abandon(pending);
    }
  }

  /** The rows of a request that cannot be filled must go back, also when the reason is a fault of ours. */
  #fillSafely(rows: RowsToFill): Filled | WireError | undefined {
    try {
      return fillRows(rows);
    } catch (fault) {
      return this.reportFault(fault);
    }
  }

  #enqueue(pending: PendingRequest): PendingRequest {
    const { queue } = pending;
    queue.generation.acquire();
    this.#inflight.add(pending);
    this.#batcher.arrive(queue, pending);
    if (pending.deadlineMs !== undefined) this.#deadlines.add(pending);
    this.#burst.arrived();
    return pending;
  }

  /** The next batch; what is due by now is told so first and not begun. */
  #next(accepts: (queue: RequestQueue) => boolean): RequestBatch | undefined {
    if (this.#deadlines.size === 0) return this.#batcher.next(accepts);
    this.#deadlines.expire();
    const batch = this.#batcher.next(accepts);
    for (const pending of batch?.members ?? []) this.#deadlines.remove(pending);
    return batch;
  }

  #settleSafely(batch: RequestBatch, reply: LaneReply, startedMs: number): void {
    try {
      this.#settle(batch, reply, startedMs);
    } catch (fault) {
      // A broken invariant must not take the process or leave a caller waiting.
      this.reportFault(fault);
      for (const pending of batch.members) {
        if (this.#inflight.has(pending)) this.#answerFailure(pending, internalFault);
      }
    }
  }

  #settle(batch: RequestBatch, reply: LaneReply, startedMs: number): void {
    switch (reply.kind) {
      case 'ran':
        this.#answer(batch, reply, startedMs);
        return;
      case 'failed':
        if (this.#isRefused(batch, reply)) return;
        this.#retryOrFail(batch, { cause: 'model', detail: `${reply.code}: ${reply.detail}` });
        return;
      case 'lost':
        this.#retryOrFail(batch, { cause: 'worker', detail: reply.detail });
        return;
      case 'hello':
      case 'loaded':
      case 'unloaded':
        throw new Error(`a run was answered with ${reply.kind}`);
    }
  }

  /** A batch that nobody ran fails as a whole and for good: its version is refused to others too by now. */
  #isRefused(batch: RequestBatch, { code }: WorkerFailure): boolean {
    const { refusal } = batch.queue.generation;
    if (code !== 'QUARANTINED' || refusal === undefined) return false;
    this.#batcher.done(batch);
    for (const pending of batch.members) this.#answerFailure(pending, refusal);
    return true;
  }

  #answer(batch: RequestBatch, ran: Ran, startedMs: number): void {
    const { generation } = batch.queue;
    const repliedMs = performance.now();
    const columns = columnsOf(batch, { outputs: ran.outputs, arena: this.#options.pool.arena });
    const batched = generation.signature.batching === 'rows';
    this.#batcher.done(batch);
    const { metrics, modelName, modelVersion } = generation;
    const outcomes: Outcome[] = [];
    const runMs = ran.runUs / 1000;
    const { rows: batchRows, members } = batch;
    let rowStart = 0;
    for (const pending of members) {
      const { id, rows, options } = pending;
      const reply = { id, modelName, modelVersion, columns, batched, rowStart, rows, options };
      rowStart += rows;
      outcomes.push(this.#replySafely(pending, reply));
      if (pending.trial !== undefined) pending.answered = { ...answerEvidence(reply), runMs, batchRows };
    }
    // One reading of the clock for all of them: it costs as much as counting one.
    const endedMs = performance.now();
    for (const [index, pending] of members.entries()) {
      metrics.queueSeconds.record((startedMs - pending.arrivedMs) / 1000);
      this.#leave(pending, outcomes[index] ?? 'INTERNAL', endedMs);
    }
    const handOverMs = Math.max(0, repliedMs - startedMs - runMs);
    const times = { handOverMs, runMs, answerMs: endedMs - repliedMs };
    metrics.recordBatch({ rows: batchRows, requests: members.length, ...times }, endedMs);
  }

  /** An answer that cannot be written is the fault of one member; the others still get theirs. */
  #replySafely(pending: PendingRequest, reply: InferReply): Outcome {
    if (pending.abandoned) return 'ABANDONED';
    try {
      pending.sink.reply(reply);
      return 'OK';
    } catch (fault) {
      pending.sink.fail(this.reportFault(fault));
      return 'INTERNAL';
    }
  }

  #retryOrFail(batch: RequestBatch, failure: RunFailure): void {
    const { generation } = batch.queue;
    const lost = this.#batcher.failed(batch, failure.cause);
    if (lost.length < batch.members.length) generation.metrics.batchesRetried += 1;
    if (lost.length > 0) this.#options.onFailure(generation, failure);
    for (const pending of lost) this.#answerFailure(pending, failureAnswer(failure.cause));
    for (const pending of batch.members) {
      if (pending.abandoned && this.#batcher.cancel(pending)) this.#leave(pending, 'ABANDONED');
    }
    this.#burst.arrived();
  }

  #answerFailure(pending: PendingRequest, error: WireError): void {
    if (!pending.abandoned) pending.sink.fail(error);
    this.#leave(pending, error.code);
  }

  /** The one place where a request leaves and is counted, whatever became of it. */
  #leave(pending: PendingRequest, outcome: Outcome, nowMs: number = performance.now()): void {
    this.#inflight.remove(pending);
    if (pending.dueSeat >= 0) this.#deadlines.remove(pending);
    const { metrics } = pending.queue.generation;
    const counted = pending.failedWith ?? (pending.abandoned ? 'ABANDONED' : outcome);
    const seconds = (nowMs - pending.arrivedMs) / 1000;
    metrics.outcomes.count(pending.protocol, counted);
    metrics.requestSeconds.record(seconds);
    if (counted !== 'OK') metrics.failedSeconds += seconds;
    const { trial, answered } = pending;
    if (trial !== undefined) trial.watch.ended(trial, counted, performance.timeOrigin + nowMs, answered);
    pending.queue.slabs.release(pending.place);
    this.#queues.leave(pending.queue);
    pending.queue.generation.release();
    if (this.#inflight.size === 0) this.#onEmpty?.();
  }
}
