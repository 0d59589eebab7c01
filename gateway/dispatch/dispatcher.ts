/**
 * The door to the batches: gives admitted requests room, queues them and hands batches to free lanes. Who runs when is the
 * batcher's decision; this file knows no protocol. What becomes of a batch is batch-answers.ts.
 *
 * Invariants: a request that `submit` accepted is answered exactly once or abandoned by its client, also at close; its
 * memory is released exactly once, when it leaves.
 */
import { performance } from 'node:perf_hooks';
import type { Lane } from '../../runtime/pool/lane.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import { CallerShares } from '../admission/caller-shares.ts';
import type { AdmittedRequest } from '../admission/check-request.ts';
import { Batcher, type Worker } from '../batch/batcher.ts';
import type { WireError } from '../wire/error-code.ts';
import { BatchAnswers, type BatchAnswersOptions } from './batch-answers.ts';
import type { RequestBatch } from './batch-tensors.ts';
import type { ModelGeneration } from './model-generation.ts';
import { BurstGate } from './burst-gate.ts';
import { cancelled, internalFault, type RunFailure } from './failure-answers.ts';
import { type Filled, fillRows, type RowsToFill } from './fill-rows.ts';
import { LaneFeeder } from './lane-feeder.ts';
import { LookAgain } from './look-again.ts';
import { OverloadRefusals } from './overload-refusals.ts';
import { type ModelTuning, QueueDirectory } from './queue-directory.ts';
import { RequestLedger } from './request-ledger.ts';
import type { Reservation, Submission } from './submission.ts';
import { deadlineMsOf, levelOfRequest, PendingRequest, type RequestQueue } from './request-queue.ts';
import { type VersionLoad, versionLoads } from './version-load.ts';

export interface DispatcherOptions {
  readonly pool: WorkerPool;
  /** Most rows of one batch. */
  readonly batchRowsMax: number;
  /** Most rows that wait, over all models. */
  readonly queueRowsMax: number;
  /** Most rows of one caller that are not answered yet; 0 or left out does not bound them. */
  readonly callerRowsMax?: number;
  /** Most bytes of them, and of bodies of one caller that still arrive; 0 or left out does not bound them. */
  readonly callerBytesMax?: number;
  /** A request failed for good, in the model or with its thread. */
  readonly onFailure: (generation: ModelGeneration, failure: RunFailure) => void;
  readonly onBatch?: BatchAnswersOptions['onBatch'];
  /** A lane was taken by a batch for so long, whatever came of it. Milliseconds. */
  readonly onLaneTime?: (laneMs: number) => void;
  /** An invariant broke while a batch was answered; its requests were told INTERNAL. */
  readonly onFault: (fault: unknown) => void;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #batcher: Batcher<RequestQueue, PendingRequest>;
  readonly #queues: QueueDirectory;
  /** What each caller has here, wherever it waits. */
  readonly callers: CallerShares;
  readonly #ledger: RequestLedger;
  readonly #refusals: OverloadRefusals<RequestQueue, PendingRequest>;
  readonly #burst: BurstGate;
  readonly #feeder: LaneFeeder;
  readonly #again: LookAgain;

  constructor(options: DispatcherOptions) {
    const { pool, batchRowsMax, queueRowsMax, callerRowsMax = 0, callerBytesMax = 0, onFailure } = options;
    this.#options = options;
    const batcher = new Batcher<RequestQueue, PendingRequest>({ queueRowsMax });
    this.#batcher = batcher;
    this.#queues = new QueueDirectory({ arena: pool.pages, batchRowsMax });
    this.callers = new CallerShares({ rowsMax: callerRowsMax, bytesMax: callerBytesMax });
    this.#ledger = new RequestLedger({
      queues: this.#queues,
      callers: this.callers,
      onDue: (pending) => {
        if (batcher.cancel(pending.queue, pending)) this.#missed(pending, performance.now());
      },
      onFault: options.onFault,
    });
    const answers = new BatchAnswers({
      arena: pool.arena,
      batcher,
      ledger: this.#ledger,
      onFailure,
      onBatch: options.onBatch,
      onRetry: () => {
        this.#burst.arrived();
      },
      reportFault: (fault) => this.reportFault(fault),
    });
    this.#feeder = new LaneFeeder({
      pool,
      next: (worker) => this.#next(worker),
      settle: (batch, reply, repliedMs) => {
        options.onLaneTime?.(repliedMs - batch.startedMs);
        answers.settle(batch, reply, repliedMs);
      },
      onFault: (fault) => this.reportFault(fault).code,
    });
    this.#refusals = new OverloadRefusals({
      batcher,
      workersOf: (queue) => this.#feeder.workersOf(queue),
      anyWorkers: () => this.#feeder.anyWorkers(),
    });
    const flush = (): void => {
      this.#feeder.feedAll();
    };
    this.#burst = new BurstGate({ mayWait: () => batcher.queuedRows < batchRowsMax, flush });
    this.#again = new LookAgain(flush);
  }

  /** Rows that wait for a lane. */
  get queuedRows(): number {
    return this.#batcher.queuedRows;
  }

  /** Requests that wait for a lane, by model version. */
  get waiting(): Iterable<{ readonly generation: ModelGeneration; readonly requests: number }> {
    return this.#queues.waiting();
  }

  /** What each version has in hand now. */
  loads(): Iterable<VersionLoad> {
    return versionLoads(this.#queues.all(), this.#batcher.running, performance.now());
  }

  /** Requests accepted and not yet answered. */
  get inflightRequests(): number {
    return this.#ledger.size;
  }

  /**
   * Takes a request: writes its elements into their batch slot and queues it. The bytes that the request was decoded
   * from may be reused as soon as this returns. A returned error is the answer; the sink is then not called.
   *
   * Codes: QUEUE_FULL, OVERLOADED, CALLER_LIMIT, DEADLINE_EXCEEDED, and those of elements that are no values.
   */
  submit(submission: Submission): PendingRequest | WireError {
    const { generation, request } = submission;
    if (generation.refusal !== undefined) return generation.refusal;
    const { rows, bytes } = request;
    const arrivedMs = performance.now();
    if (!this.#batcher.hasRoomFor(rows)) return this.#refusals.ofQueue(arrivedMs);
    const queue = this.#queues.enter(generation, request);
    const { id, protocol, sink, trial, options, caller, dueWithinMs } = submission;
    const deadlineMs = deadlineMsOf({ queue, arrivedMs, dueWithinMs });
    const refusal = this.#refusalOf({ queue, rows, bytes, deadlineMs, options, caller }, arrivedMs);
    if (refusal !== undefined) {
      this.#queues.leave(queue);
      return refusal;
    }
    const place = queue.slabs.place(rows);
    if (place === undefined) {
      this.#queues.leave(queue);
      return this.#refusals.ofQueue(arrivedMs);
    }
    const { arena } = this.#options.pool;
    const strings = this.#fillSafely({ arena, slabs: queue.slabs, place, inputs: request.inputs });
    if (strings !== undefined && 'code' in strings) {
      queue.slabs.release(place);
      this.#queues.leave(queue);
      return strings;
    }
    return this.#enqueue(
      new PendingRequest({
        rows,
        bytes,
        id,
        protocol,
        queue,
        sink,
        trial,
        place,
        strings,
        arrivedMs,
        dueWithinMs,
        options,
        caller,
      }),
    );
  }

  /** Room for a request whose elements somebody else writes, into the slot that the reservation names. */
  reserve(generation: ModelGeneration, request: AdmittedRequest): Reservation | WireError {
    if (generation.refusal !== undefined) return generation.refusal;
    if (!this.#batcher.hasRoomFor(request.rows)) return this.#refusals.ofQueue(performance.now());
    const queue = this.#queues.enter(generation, request);
    const place = queue.slabs.place(request.rows);
    if (place !== undefined) return { queue, place };
    this.#queues.leave(queue);
    return this.#refusals.ofQueue(performance.now());
  }

  /** Ends a reservation that comes to nothing. */
  giveBack({ queue, place }: Reservation): void {
    queue.slabs.release(place);
    this.#queues.leave(queue);
  }

  /** Queues a request whose elements are in its reserved slot by now. Codes as of `submit`. */
  enqueue(pending: PendingRequest): PendingRequest | WireError {
    const nowMs = performance.now();
    // Others may have come meanwhile.
    const refusal = this.#batcher.hasRoomFor(pending.rows)
      ? this.#refusalOf(pending, nowMs)
      : this.#refusals.ofQueue(nowMs);
    if (refusal === undefined) return this.#enqueue(pending);
    this.giveBack(pending);
    return refusal;
  }

  /** A broken invariant of the gateway: the log gets what happened, the client the answer that is returned. */
  reportFault(fault: unknown): WireError {
    this.#options.onFault(fault);
    return internalFault;
  }

  /** The client is gone: its answer goes nowhere, and if the request still waits it is never run. */
  abandon(pending: PendingRequest): void {
    if (!this.#ledger.has(pending)) return;
    pending.abandoned = true;
    if (this.#batcher.cancel(pending.queue, pending)) this.#ledger.leave(pending, 'ABANDONED');
  }

  /** The client no longer wants it: true when it had not begun, and is answered CANCELLED by now. */
  cancel(pending: PendingRequest): boolean {
    if (!this.#ledger.has(pending) || !this.#batcher.cancel(pending.queue, pending)) return false;
    this.#ledger.answerFailure(pending, cancelled);
    return true;
  }

  /** How the requests of a model are batched from now on; undefined is as the limits say. */
  tune(modelName: string, tuning: ModelTuning | undefined): void {
    this.#queues.tune(modelName, tuning);
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
  settled(): Promise<void> {
    return this.#ledger.settled();
  }

  /** Answers everything that is left, because the process will not live to run it. */
  failAll(error: WireError): void {
    for (const pending of this.#ledger.list()) {
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

  /** Why there is room, but not for this one. */
  #refusalOf(
    request: Pick<PendingRequest, 'queue' | 'rows' | 'bytes' | 'deadlineMs' | 'options' | 'caller'>,
    nowMs: number,
  ): WireError | undefined {
    const { queue, rows, deadlineMs, options } = request;
    const lack = this.callers.lackOf(request);
    if (lack !== undefined) return this.#refusals.ofCaller(queue, lack, nowMs);
    if (deadlineMs === undefined) return undefined;
    return this.#refusals.ofDeadline({ queue, rows, deadlineMs, level: levelOfRequest(options) }, nowMs);
  }

  #enqueue(pending: PendingRequest): PendingRequest {
    this.#ledger.enter(pending);
    this.#batcher.arrive(pending.queue, pending);
    this.#burst.arrived();
    return pending;
  }

  /** The next batch; what is due by now, or cannot be in time any more, is told so and not begun. */
  #next(worker: Worker<RequestQueue>): RequestBatch | undefined {
    const nowMs = performance.now();
    this.#ledger.expire(nowMs);
    const batch = this.#batcher.next(nowMs, worker);
    for (const pending of this.#batcher.takeMissed()) this.#missed(pending, nowMs);
    if (batch === undefined) this.#again.arm(this.#batcher.lookAgainMs(nowMs));
    else this.#ledger.began(batch.members);
    return batch;
  }

  #missed(pending: PendingRequest, nowMs: number): void {
    this.#ledger.answerFailure(pending, this.#refusals.ofMissed(pending.queue, nowMs));
  }
}
