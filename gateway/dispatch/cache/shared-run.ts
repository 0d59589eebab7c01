/**
 * One run that several requests wait for: the leader, which the dispatcher knows, and the followers, which asked the same
 * while it was under way. Bookkeeping only: the response cache decides what becomes of whom.
 */
import type { CallerShare } from '../../admission/caller-shares.ts';
import type { AdmittedRequest } from '../../admission/check-request.ts';
import type { Due } from '../../batch/deadline-queue.ts';
import type { Protocol } from '../../telemetry/version-metrics.ts';
import type { WireError } from '../../wire/error-code.ts';
import type { InferReply, RequestOptions } from '../../wire/infer-request.ts';
import type { ModelGeneration } from '../model-generation.ts';
import type { PendingRequest, ReplySink } from '../request-queue.ts';
import type { Submission } from '../submission.ts';

/** A request that is answered from memory, or by the run of another one. */
export class SharedRequest implements Due {
  readonly generation: ModelGeneration;
  readonly protocol: Protocol;
  readonly id: string | number | undefined;
  readonly sink: ReplySink;
  readonly options: RequestOptions | undefined;
  /** Who sent it, where callers are bound. */
  readonly caller: string | undefined;
  readonly arrivedMs: number;
  /** When the run must have begun, on the clock of `arrivedMs`; undefined lets it wait. */
  readonly deadlineMs: number | undefined;
  dueSeat = -1;
  /** What it counts for its caller while it waits for the run of another one. */
  held: CallerShare | undefined;
  /** The run that it waits for; undefined when the answer was there already. */
  run: SharedRun | undefined;
  /** Once it leads a run of its own, because the leader before it left. */
  pending: PendingRequest | undefined;
  /** Answered, or its client is gone. */
  isOver = false;

  constructor(submission: Submission, arrivedMs: number) {
    const { generation, protocol, id, sink, options, caller, dueWithinMs } = submission;
    this.generation = generation;
    this.protocol = protocol;
    this.id = id;
    this.sink = sink;
    this.options = options;
    this.caller = caller;
    this.arrivedMs = arrivedMs;
    this.deadlineMs = dueWithinMs === undefined ? undefined : arrivedMs + dueWithinMs;
  }
}

/** Told once for each run, after the leader was. */
export interface RunListener {
  /** The reply's data is only valid during this call. */
  answered(run: SharedRun, reply: InferReply): void;
  failed(run: SharedRun, error: WireError): void;
}

/** The sink of the leader as the dispatcher sees it. */
export class SharedRun implements ReplySink {
  readonly key: string;
  readonly followers: Set<SharedRequest> = new Set<SharedRequest>();
  /** What is run, in memory of its own: kept from the first follower on, in case the leader leaves. */
  kept: AdmittedRequest | undefined;
  pending: PendingRequest | undefined;
  /** Nobody waits for this run any more. */
  isOver = false;
  readonly #leader: ReplySink;
  readonly #listener: RunListener;

  constructor(key: string, leader: ReplySink, listener: RunListener) {
    this.key = key;
    this.#leader = leader;
    this.#listener = listener;
  }

  get hasBegun(): boolean {
    return this.pending?.state === 'running';
  }

  reply(reply: InferReply): void {
    try {
      this.#leader.reply(reply);
    } finally {
      // An answer that the leader cannot be told is still one for the others.
      if (!this.isOver) this.#listener.answered(this, reply);
    }
  }

  fail(error: WireError): void {
    this.#leader.fail(error);
    if (!this.isOver) this.#listener.failed(this, error);
  }
}
