/**
 * What becomes of a batch that was run: its answers, or its failure, to each of its members.
 *
 * Invariant: a broken promise of the worker, or of an encoder, costs those whom it concerns their answer, and nothing else.
 */
import { performance } from 'node:perf_hooks';
import type { LaneReply } from '../../runtime/pool/lane.ts';
import type { Ran, WorkerFailure } from '../../runtime/protocol/worker-task.ts';
import type { Batcher } from '../batch/batcher.ts';
import { answerEvidence } from '../rollout/answer-evidence.ts';
import type { BatchRun, Outcome } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import { columnsOf, paddedRowsOf, type RequestBatch } from './batch-tensors.ts';
import { failureAnswer, internalFault, type RunFailure } from './failure-answers.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { RequestLedger } from './request-ledger.ts';
import type { PendingRequest, RequestQueue } from './request-queue.ts';

export interface AnsweredBatch extends BatchRun {
  /** From the whole request to the start of the batch, of the member that waited longest, milliseconds. */
  readonly queueMs: number;
}

export interface BatchAnswersOptions {
  /** Where results lie. */
  readonly arena: SharedArrayBuffer;
  readonly batcher: Batcher<RequestQueue, PendingRequest>;
  readonly ledger: RequestLedger;
  /** A request failed for good, in the model or with its thread. */
  readonly onFailure: (generation: ModelGeneration, failure: RunFailure) => void;
  /** A batch was answered; only for whoever looks at each of them. */
  readonly onBatch?: ((generation: ModelGeneration, batch: AnsweredBatch) => void) | undefined;
  /** Members wait again. */
  readonly onRetry: () => void;
  /** An invariant broke; gives what the client is told. */
  readonly reportFault: (fault: unknown) => WireError;
}

export class BatchAnswers {
  readonly #options: BatchAnswersOptions;

  constructor(options: BatchAnswersOptions) {
    this.#options = options;
  }

  /** The lane replied at `repliedMs`. */
  settle(batch: RequestBatch, reply: LaneReply, repliedMs: number): void {
    const { ledger, reportFault } = this.#options;
    try {
      this.#settle(batch, reply, repliedMs);
    } catch (fault) {
      // A broken invariant must not take the process or leave a caller waiting.
      reportFault(fault);
      for (const pending of batch.members) {
        if (ledger.has(pending)) ledger.answerFailure(pending, internalFault);
      }
    }
  }

  #settle(batch: RequestBatch, reply: LaneReply, repliedMs: number): void {
    switch (reply.kind) {
      case 'ran':
        this.#answer(batch, reply, repliedMs);
        return;
      case 'failed': {
        if (this.#isRefused(batch, reply, repliedMs)) return;
        const detail = `${reply.code}: ${reply.detail}`;
        this.#retryOrFail(batch, { cause: 'model', detail }, repliedMs);
        return;
      }
      case 'lost':
        this.#retryOrFail(batch, { cause: 'worker', detail: reply.detail }, repliedMs);
        return;
      case 'here':
      case 'hello':
      case 'loaded':
      case 'unloaded':
        throw new Error(`a run was answered with ${reply.kind}`);
    }
  }

  /** A batch that nobody ran fails as a whole and for good: its version is refused to others too by now. */
  #isRefused(batch: RequestBatch, { code }: WorkerFailure, repliedMs: number): boolean {
    const { refusal } = batch.queue.generation;
    if (code !== 'QUARANTINED' || refusal === undefined) return false;
    this.#options.batcher.refused(batch, repliedMs);
    for (const pending of batch.members) this.#options.ledger.answerFailure(pending, refusal);
    return true;
  }

  #answer(batch: RequestBatch, ran: Ran, repliedMs: number): void {
    const { batcher, ledger, arena } = this.#options;
    const { rows: batchRows, members, startedMs, predictedMs, trigger } = batch;
    const { generation } = batch.queue;
    // Whatever becomes of the answers, the worker is free.
    batcher.done(batch, repliedMs);
    const columns = columnsOf(batch, { outputs: ran.outputs, arena });
    const batched = generation.signature.batching === 'rows';
    const { metrics, modelName, modelVersion } = generation;
    const outcomes: Outcome[] = [];
    const runMs = ran.runUs / 1000;
    let rowStart = 0;
    for (const pending of members) {
      const { id, rows, options } = pending;
      const reply = { id, modelName, modelVersion, columns, batched, rowStart, rows, options };
      rowStart += rows;
      outcomes.push(this.#replySafely(pending, reply));
      if (pending.trial !== undefined)
        pending.answered = { ...answerEvidence(generation.visibleReply(reply)), runMs, batchRows };
    }
    // One reading of the clock for all of them: it costs as much as counting one.
    const endedMs = performance.now();
    for (const [index, pending] of members.entries()) {
      metrics.queueSeconds.record((startedMs - pending.arrivedMs) / 1000);
      ledger.leave(pending, outcomes[index] ?? 'INTERNAL', endedMs);
    }
    const laneMs = repliedMs - startedMs;
    const times = { handOverMs: Math.max(0, laneMs - runMs), runMs, answerMs: endedMs - repliedMs };
    // What handing over took says how late this event loop comes to what has arrived, requests too.
    batcher.answered(batch, times.answerMs + times.handOverMs, endedMs);
    const lane = { trigger, laneMs, predictedMs };
    const paddedRows = paddedRowsOf(batch);
    const run = { rows: batchRows, paddedRows, requests: members.length, ...times, ...lane };
    metrics.recordBatch(run, endedMs);
    const { onBatch } = this.#options;
    if (onBatch === undefined) return;
    const queueMs = Math.max(...members.map(({ arrivedMs }) => startedMs - arrivedMs));
    onBatch(generation, { ...run, queueMs });
  }

  /** An answer that cannot be written is the fault of one member; the others still get theirs. */
  #replySafely(pending: PendingRequest, reply: InferReply): Outcome {
    if (pending.abandoned) return 'ABANDONED';
    try {
      pending.sink.reply(reply);
      pending.replied = true;
      return 'OK';
    } catch (fault) {
      pending.replied = true;
      pending.sink.fail(this.#options.reportFault(fault));
      return 'INTERNAL';
    }
  }

  #retryOrFail(batch: RequestBatch, failure: RunFailure, repliedMs: number): void {
    const { batcher, ledger, onFailure, onRetry } = this.#options;
    const { generation } = batch.queue;
    const lost = batcher.failed(batch, failure.cause, repliedMs);
    if (lost.length < batch.members.length) generation.metrics.batchesRetried += 1;
    if (lost.length > 0) onFailure(generation, failure);
    for (const pending of lost) ledger.answerFailure(pending, failureAnswer(failure.cause));
    for (const pending of batch.members) {
      if (pending.abandoned && batcher.cancel(batch.queue, pending)) ledger.leave(pending, 'ABANDONED');
    }
    onRetry();
  }
}
