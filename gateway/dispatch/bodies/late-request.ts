/**
 * Requests whose body is so large that reading it would stop the event loop: they are read on a thread of their own and
 * join the others once their elements are in the arena. Until then there is no pending request, only this.
 *
 * Invariants: the sink is told exactly once unless the client is gone; the generation is held from arrival until the
 * request is queued or over; a slot that was reserved is queued or given back; what the body counts for its caller is
 * released before the request is queued, which counts it anew, or when it is over.
 */
import { performance } from 'node:perf_hooks';
import type { CallerShare } from '../../admission/caller-shares.ts';
import { checkRequest } from '../../admission/check-request.ts';
import type { Limits } from '../../admission/limits.ts';
import { shorter } from '../../admission/shorter-time.ts';
import type { Due } from '../../batch/deadline-queue.ts';
import type { Result, WireError } from '../../wire/error-code.ts';
import type { InferRequest } from '../../wire/infer-request.ts';
import { DeadlineWatch } from '../deadline-watch.ts';
import type { Dispatcher } from '../dispatcher.ts';
import { callerLimits, cancelled, deadlineExceeded, failureAnswer, queueFull } from '../failure-answers.ts';
import type { ModelGeneration } from '../model-generation.ts';
import { PendingRequest, type ReplySink } from '../request-queue.ts';
import { sequenceRefusals } from '../sequences/sequence-refusals.ts';
import type { Reservation } from '../submission.ts';
import type { Trial } from '../trial.ts';
import type { BodyLane } from './body-lane.ts';
import type { ReadRequest, TextFormat } from './body-task.ts';
import { Turns } from './turns.ts';

/** Bodies that are with the thread at once: the next is there when one is done, and those behind may still be dropped. */
const readsMax = 2;

export interface LargeBody {
  readonly protocol: TextFormat;
  /** Its memory is taken over: the caller must not touch it again. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly jsonBytes: number;
  readonly sink: ReplySink;
  readonly dueWithinMs: number | undefined;
  /** Who sent it, where callers are bound. */
  readonly caller?: string | undefined;
}

interface TriedBody extends LargeBody {
  /** What its outcome is evidence for, while a rollout is on. */
  readonly trial: Trial | undefined;
}

export interface LateRequestsOptions {
  readonly dispatcher: Pick<
    Dispatcher,
    'reserve' | 'giveBack' | 'enqueue' | 'abandon' | 'reportFault' | 'callers'
  >;
  readonly lane: Pick<BodyLane, 'ticket' | 'read' | 'fill' | 'drop'>;
  readonly limits: Pick<Limits, 'requestRowsMax' | 'requestBytesMax' | 'queueBytesMax'>;
}

/** A request that is being read, or waits for that. */
export class LateRequest implements Due {
  readonly sink: ReplySink;
  readonly arrivedMs: number;
  /** As the request was addressed; its body may set an earlier one. */
  readonly deadlineMs: number | undefined;
  dueSeat = -1;
  /** What its body counts for its caller, until it is queued. */
  held: CallerShare | undefined;
  /** Once it is queued like any other. */
  pending: PendingRequest | undefined;
  /** What its client was told while it was read. */
  failedWith: WireError['code'] | undefined = undefined;
  #isOver = false;

  constructor({ sink, dueWithinMs }: Pick<LargeBody, 'sink' | 'dueWithinMs'>) {
    this.sink = sink;
    this.arrivedMs = performance.now();
    this.deadlineMs = dueWithinMs === undefined ? undefined : this.arrivedMs + dueWithinMs;
  }

  /** Answered, or its client is gone. */
  isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }
}

export class LateRequests {
  readonly #options: LateRequestsOptions;
  /** Not queued yet. */
  readonly #reading = new Set<LateRequest>();
  readonly #turns = new Turns(readsMax);
  readonly #deadlines = new DeadlineWatch<LateRequest>((late) => {
    this.#end(late, deadlineExceeded);
  });
  #bytesReading = 0;

  constructor(options: LateRequestsOptions) {
    this.#options = options;
  }

  take(generation: ModelGeneration, large: LargeBody, trial?: Trial): LateRequest | WireError {
    const { length } = large.body;
    const { callers } = this.#options.dispatcher;
    // How many rows it has is only known once it is read.
    const share = { caller: large.caller, rows: 1, bytes: length };
    const lack = callers.lackOf(share);
    if (lack !== undefined) return callerLimits[lack];
    // An empty lane takes any body that was allowed to arrive.
    const { queueBytesMax } = this.#options.limits;
    if (this.#bytesReading > 0 && this.#bytesReading + length > queueBytesMax) return queueFull;
    const late = new LateRequest(large);
    late.held = share;
    callers.take(share);
    this.#reading.add(late);
    this.#bytesReading += length;
    if (late.deadlineMs !== undefined) this.#deadlines.add(late);
    generation.acquire();
    void this.#carry(late, generation, { ...large, trial }).then(() => {
      this.#bytesReading -= length;
      this.#uncount(late);
      this.#reading.delete(late);
      generation.release();
    });
    return late;
  }

  /** The client is gone. */
  abandon(late: LateRequest): void {
    late.end();
    if (late.pending !== undefined) this.#options.dispatcher.abandon(late.pending);
  }

  /** Answers everything that is still being read. */
  failAll(error: WireError): void {
    for (const late of this.#reading) {
      if (!late.isOver() && late.pending === undefined) this.#end(late, error);
    }
  }

  #end(late: LateRequest, error: WireError): void {
    late.failedWith = error.code;
    late.end();
    late.sink.fail(error);
  }

  #uncount(late: LateRequest): void {
    if (late.held !== undefined) this.#options.dispatcher.callers.release(late.held);
    late.held = undefined;
  }

  async #carry(late: LateRequest, generation: ModelGeneration, large: TriedBody): Promise<void> {
    let outcome: PendingRequest | WireError;
    try {
      outcome = await this.#turns.take(() => this.#read(late, generation, large));
    } catch (fault) {
      outcome = this.#options.dispatcher.reportFault(fault);
    }
    this.#deadlines.remove(late);
    if (outcome instanceof PendingRequest) {
      late.pending = outcome;
      if (late.isOver()) this.#options.dispatcher.abandon(outcome);
      return;
    }
    generation.metrics.outcomes.count(
      large.protocol,
      late.failedWith ?? (late.isOver() ? 'ABANDONED' : outcome.code),
    );
    if (!late.isOver()) late.sink.fail(outcome);
    late.end();
  }

  async #read(
    late: LateRequest,
    generation: ModelGeneration,
    large: TriedBody,
  ): Promise<PendingRequest | WireError> {
    const { dispatcher, lane, limits } = this.#options;
    // Its client has left, or its time was over, before its turn came.
    if (late.isOver()) return cancelled;
    const { arrivedMs } = late;
    const ticket = lane.ticket();
    const { protocol, body, jsonBytes, sink, trial, caller } = large;
    const { signature } = generation;
    const read = await lane.read({ ticket, format: protocol, body, jsonBytes, signature });
    if (read?.ok !== true) return read ?? failureAnswer('worker');
    const request = withoutElements(read.value);
    const admitted =
      request.options?.sequence === undefined
        ? checkRequest(request, signature, limits)
        : sequenceRefusals.stateless;
    const room: Reservation | WireError = admitted.ok
      ? dispatcher.reserve(generation, admitted.value)
      : admitted;
    if ('code' in room || late.isOver() || !admitted.ok) {
      lane.drop(ticket);
      if ('code' in room) return room;
      dispatcher.giveBack(room);
      return failureAnswer('worker');
    }
    const { queue, place } = room;
    const targets = admitted.value.inputs.map(({ name }, index) => {
      return { name, byteOffset: queue.slabs.byteOffset(place, index) };
    });
    const filled: Result<PendingRequest['strings']> =
      (await lane.fill(ticket, targets)) ?? failureAnswer('worker');
    if (!filled.ok || late.isOver()) {
      dispatcher.giveBack(room);
      return filled.ok ? failureAnswer('worker') : filled;
    }
    const { id, options } = request;
    const dueWithinMs = shorter(options?.dueWithinMs, large.dueWithinMs);
    const strings = filled.value;
    const { rows, bytes } = admitted.value;
    this.#uncount(late);
    return dispatcher.enqueue(
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
}

const noBytes = new Uint8Array();

/** As decoded here, but for the elements: what admission looks at is there. */
function withoutElements(read: ReadRequest): InferRequest {
  const inputs = read.inputs.map(({ name, datatype, shape, sourceBytes }) => {
    const source = { kind: 'json', text: noBytes, start: 0, end: sourceBytes } as const;
    return { name, datatype, shape, source };
  });
  return { ...read, inputs };
}
