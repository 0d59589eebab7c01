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
import type { Ran } from '../../runtime/protocol/worker-task.ts';
import type { AdmittedRequest } from '../admission/check-request.ts';
import { Batcher, type FailureCause } from '../batch/batcher.ts';
import type { Outcome, Protocol } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import { columnsOf, type RequestBatch, runOf } from './batch-tensors.ts';
import type { ModelGeneration } from './model-generation.ts';
import { failureAnswer, internalFault, queueFull } from './failure-answers.ts';
import { type Filled, fillRows, type RowsToFill } from './fill-rows.ts';
import { InflightRequests } from './inflight-requests.ts';
import { QueueDirectory } from './queue-directory.ts';
import { PendingRequest, type ReplySink, type RequestQueue } from './request-queue.ts';

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

/** Longest time that requests wait for others of their burst, milliseconds. docs/benchmarks.md, November 2026. */
const gatherMsMax = 0.1;

/** Longest time that inline batches run in one turn of the event loop, milliseconds. */
const inlineTurnMsMax = 2;

export interface RunFailure {
  readonly cause: FailureCause;
  /** For the log, not for clients. */
  readonly detail: string;
}

export interface Submission {
  readonly generation: ModelGeneration;
  readonly protocol: Protocol;
  readonly request: AdmittedRequest;
  readonly id: string | number | undefined;
  readonly sink: ReplySink;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #batcher: Batcher<RequestQueue, PendingRequest>;
  readonly #queues: QueueDirectory;
  readonly #inflight = new InflightRequests<PendingRequest>();
  #flushScheduled = false;
  #arrivedSinceTurn = false;
  #firstTurnMs = 0;
  #inlineBusy = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#batcher = new Batcher({ queueRowsMax: options.queueRowsMax });
    this.#queues = new QueueDirectory({ arena: options.pool.pages, batchRowsMax: options.batchRowsMax });
  }

  /** Rows that wait for a lane. */
  get queuedRows(): number {
    return this.#batcher.queuedRows;
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
    const pending = new PendingRequest({
      rows: request.rows,
      id: submission.id,
      protocol: submission.protocol,
      queue,
      sink: submission.sink,
      place,
      strings,
      arrivedMs: performance.now(),
    });
    generation.acquire();
    this.#inflight.add(pending);
    this.#batcher.arrive(queue, pending);
    this.#scheduleFlush();
    return pending;
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

  /** Gives back what is kept for a generation. Only legal once it is drained. */
  forget(generation: ModelGeneration): void {
    this.#queues.forget(generation);
  }

  /** A lane became free on its own, after a start or after maintenance. */
  laneIdle(lane: Lane): void {
    this.#feed(lane);
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

  /**
   * Requests that arrive together join one batch: the flush runs behind all that this turn of the event loop brought,
   * and waits for the next turn as long as turns keep bringing more, up to a limit that is less than a run costs. A
   * turn without news costs a few microseconds, a run that could have been shared ten times as much.
   */
  #scheduleFlush(): void {
    this.#arrivedSinceTurn = true;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#firstTurnMs = performance.now();
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    const mayWait = this.#batcher.queuedRows < this.#options.batchRowsMax;
    if (this.#arrivedSinceTurn && mayWait && performance.now() - this.#firstTurnMs < gatherMsMax) {
      this.#arrivedSinceTurn = false;
      setImmediate(this.#turn);
      return;
    }
    this.#flushScheduled = false;
    for (const lane of this.#options.pool.lanes) this.#feed(lane);
    void this.#runInline();
  };

  /** Gives a free lane its next batch. */
  #feed(lane: Lane): void {
    if (lane.state !== 'idle') return;
    const batch = this.#batcher.next(this.#needsThread);
    if (batch !== undefined) void this.#run(lane, batch);
  }

  async #run(lane: Lane, batch: RequestBatch): Promise<void> {
    const startedMs = performance.now();
    const reply = await this.#runSafely(() => lane.run(runOf(batch)));
    // The next batch goes out before this one is encoded, so that the lane does not wait for the encoder.
    this.#feed(lane);
    this.#settleSafely(batch, reply, startedMs);
  }

  /** Runs what is cheaper to run here than to hand over: all that arrived in this turn, batch by batch. */
  async #runInline(): Promise<void> {
    if (this.#inlineBusy) return;
    this.#inlineBusy = true;
    let turnMs = performance.now();
    try {
      for (;;) {
        const batch = this.#batcher.next(this.#runsInline);
        if (batch === undefined) break;
        const startedMs = performance.now();
        const reply = await this.#runSafely(() => this.#options.pool.inlineLane.run(runOf(batch)));
        this.#settleSafely(batch, reply, startedMs);
        // Sockets, timers and the other lanes must not wait for a long queue.
        if (performance.now() - turnMs > inlineTurnMsMax) {
          await new Promise((resolve) => setImmediate(resolve));
          turnMs = performance.now();
        }
      }
    } finally {
      this.#inlineBusy = false;
    }
  }

  /** A broken invariant on the way to a lane is a lane that did not answer. */
  async #runSafely(run: () => Promise<LaneReply>): Promise<LaneReply> {
    try {
      return await run();
    } catch (fault) {
      return { kind: 'lost', detail: this.reportFault(fault).code };
    }
  }

  readonly #runsInline = (queue: RequestQueue): boolean =>
    this.#options.pool.inlineLane.holds(queue.generation.session);

  readonly #needsThread = (queue: RequestQueue): boolean => !this.#runsInline(queue);

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

  #answer(batch: RequestBatch, ran: Ran, startedMs: number): void {
    const { generation } = batch.queue;
    const { metrics } = generation;
    metrics.runSeconds.record(ran.runUs / 1e6);
    metrics.batchRows.record(batch.rows);
    const columns = columnsOf(batch, { outputs: ran.outputs, arena: this.#options.pool.arena });
    const batched = generation.signature.batching === 'rows';
    this.#batcher.done(batch);
    let rowStart = 0;
    for (const pending of batch.members) {
      metrics.queueSeconds.record((startedMs - pending.arrivedMs) / 1000);
      const { modelName, modelVersion } = generation;
      const { id, rows } = pending;
      const reply = { id, modelName, modelVersion, columns, batched, rowStart, rows };
      rowStart += rows;
      this.#leave(pending, this.#replySafely(pending, reply));
    }
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
    this.#scheduleFlush();
  }

  #answerFailure(pending: PendingRequest, error: WireError): void {
    if (!pending.abandoned) pending.sink.fail(error);
    this.#leave(pending, error.code);
  }

  /** The one place where a request leaves and is counted, whatever became of it. */
  #leave(pending: PendingRequest, outcome: Outcome): void {
    this.#inflight.remove(pending);
    const { metrics } = pending.queue.generation;
    metrics.outcomes.count(
      pending.protocol,
      pending.failedWith ?? (pending.abandoned ? 'ABANDONED' : outcome),
    );
    metrics.requestSeconds.record((performance.now() - pending.arrivedMs) / 1000);
    pending.queue.slabs.release(pending.place);
    this.#queues.leave(pending.queue);
    pending.queue.generation.release();
    if (this.#inflight.size === 0) this.#onEmpty?.();
  }
}
