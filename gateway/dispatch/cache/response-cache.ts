/**
 * Stands before the dispatcher for models that always answer the same to the same: a question that was answered is
 * answered again without a run, and one that is being run is run once for all who ask it meanwhile.
 *
 *     submit -- answer kept --> hit, told in the next microtask
 *            -- being run ----> follower of that run
 *            -- otherwise ----> leads a run, which goes through the dispatcher like any other
 *
 * Invariants: whoever `submit` accepted is told once, unless it left; a failure is never kept; a leader that leaves, is
 * cancelled or comes too late hands the run to its first follower, so that nobody fails for what another caller did; a
 * follower holds its generation until it is told.
 *
 * A request that is evidence in a rollout is always run: an answer from memory says nothing about speed or errors, and
 * the version that was here longer would have more of them.
 */
import { performance } from 'node:perf_hooks';
import type { Outcome } from '../../telemetry/version-metrics.ts';
import type { ErrorCode, WireError } from '../../wire/error-code.ts';
import type { InferReply } from '../../wire/infer-request.ts';
import { DeadlineWatch } from '../deadline-watch.ts';
import type { Dispatcher } from '../dispatcher.ts';
import { callerLimits, cancelled, deadlineExceeded, queueFull } from '../failure-answers.ts';
import type { CacheUse, PendingRequest } from '../request-queue.ts';
import type { Submission } from '../submission.ts';
import { type KeyedRequest, keepRequest, ResponseCacheKeys } from './response-cache-key.ts';
import { ResponseCacheStore } from './response-cache-store.ts';
import { SharedRequest, SharedRun } from './shared-run.ts';

export interface ResponseCacheOptions {
  readonly dispatcher: Pick<Dispatcher, 'submit' | 'abandon' | 'cancel' | 'reportFault' | 'callers'>;
  /** For keys and answers together; 1 or more. */
  readonly bytesMax: number;
  /** Models whose answers are kept where their deployments say nothing; undefined for all of them. */
  readonly models: ReadonlySet<string> | undefined;
  /** Most requests that wait for the run of another one. */
  readonly followersMax: number;
  /** The clock that answers age by; default that of the process. */
  readonly nowMs?: () => number;
}

/** What a deployment says about the answers of its model; what is left out is as the options of this node say. */
export interface CacheTuning {
  readonly enabled?: boolean;
  /** How long an answer counts, milliseconds; 0, the default, as long as there is room. */
  readonly ttlMs?: number;
}

/** What became of the leader alone: the others still want the answer. */
const leadersOwn: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['DEADLINE_EXCEEDED', 'CANCELLED']);

type Answer = Pick<InferReply, 'columns' | 'batched' | 'rowStart' | 'rows'>;

export class ResponseCache {
  readonly store: ResponseCacheStore;
  readonly #options: ResponseCacheOptions;
  readonly #keys = new ResponseCacheKeys();
  readonly #runs = new Map<string, SharedRun>();
  /** By model, as it is deployed. */
  readonly #tunings = new Map<string, CacheTuning>();
  readonly #deadlines: DeadlineWatch<SharedRequest>;
  #followers = 0;

  constructor(options: ResponseCacheOptions) {
    this.#options = options;
    this.store = new ResponseCacheStore(options.bytesMax, options.nowMs);
    this.#deadlines = new DeadlineWatch((request) => {
      // As for any request, what has begun by its deadline is finished.
      if (request.run?.hasBegun !== true) this.#fail(request, deadlineExceeded);
    });
  }

  /** Same as that of the dispatcher, but the request may be answered without ever being queued there. */
  submit(submission: Submission): PendingRequest | SharedRequest | WireError {
    const { generation, trial } = submission;
    const { dispatcher } = this.#options;
    if (trial !== undefined || !this.#keeps(generation.modelName)) {
      return dispatcher.submit(submission);
    }
    const startedMs = performance.now();
    const read = this.#keys.read(generation, submission.request);
    if (!read.ok) return read;
    if (read.value === undefined) return dispatcher.submit(submission);
    const { key, request } = read.value;
    const answer = this.store.get(key);
    if (answer !== undefined) return this.#hit(submission, { ...answer, rowStart: 0 }, startedMs);
    const run = this.#runs.get(key);
    if (run !== undefined) return this.#follow(run, submission, read.value);
    const outcome = this.#lead(new SharedRun(key, submission.sink, this.#listener), {
      ...submission,
      request,
    });
    if (!('code' in outcome)) generation.metrics.cache.missed(performance.now() - startedMs);
    return outcome;
  }

  /** How the answers of a model are kept from now on. A change forgets those that were kept as it was before. */
  tune(modelName: string, tuning: CacheTuning = {}): void {
    const before = this.#tunings.get(modelName) ?? {};
    if (before.enabled === tuning.enabled && before.ttlMs === tuning.ttlMs) return;
    if (tuning.enabled === undefined && tuning.ttlMs === undefined) this.#tunings.delete(modelName);
    else this.#tunings.set(modelName, tuning);
    this.store.forget(modelName);
  }

  /** The client is gone. */
  abandon(request: PendingRequest | SharedRequest): void {
    if (!(request instanceof SharedRequest)) {
      this.#options.dispatcher.abandon(request);
      if (request.sink instanceof SharedRun && !request.sink.isOver) this.#handOver(request.sink);
    } else if (request.pending !== undefined) this.abandon(request.pending);
    else if (!request.isOver) this.#leave(request, 'ABANDONED');
  }

  /** The client no longer wants it: true when it had not begun, and is answered CANCELLED by now. */
  cancel(request: PendingRequest | SharedRequest): boolean {
    if (!(request instanceof SharedRequest)) return this.#options.dispatcher.cancel(request);
    if (request.pending !== undefined) return this.#options.dispatcher.cancel(request.pending);
    if (request.isOver || request.run === undefined || request.run.hasBegun) return false;
    this.#fail(request, cancelled);
    return true;
  }

  #hit(submission: Submission, answer: Answer, startedMs: number): SharedRequest {
    const request = new SharedRequest(submission, startedMs);
    // Not before the transport knows that the request was taken.
    queueMicrotask(() => {
      if (request.isOver) return;
      this.#answer(request, answer, 'hit');
      request.generation.metrics.cache.hit(startedMs, performance.now());
    });
    return request;
  }

  #follow(run: SharedRun, submission: Submission, { request }: KeyedRequest): SharedRequest | WireError {
    const { dispatcher, followersMax } = this.#options;
    const share = { caller: submission.caller, rows: request.rows, bytes: request.bytes };
    // First what is the caller's own: the room of all is not for one of them to fill.
    const lack = dispatcher.callers.lackOf(share);
    if (lack !== undefined) return callerLimits[lack];
    if (this.#followers >= followersMax) return queueFull;
    const follower = new SharedRequest(submission, performance.now());
    run.kept ??= keepRequest(request);
    this.#followers += 1;
    run.followers.add(follower);
    follower.run = run;
    dispatcher.callers.take(share);
    follower.held = share;
    follower.generation.acquire();
    follower.generation.metrics.cache.coalesced += 1;
    if (follower.deadlineMs !== undefined) this.#deadlines.add(follower);
    return follower;
  }

  #lead(run: SharedRun, submission: Submission): PendingRequest | WireError {
    const pending = this.#options.dispatcher.submit({ ...submission, sink: run });
    if ('code' in pending) return pending;
    run.pending = pending;
    this.#runs.set(run.key, run);
    submission.sink.cached?.('miss');
    return pending;
  }

  readonly #listener = {
    answered: (run: SharedRun, reply: InferReply): void => {
      this.#end(run);
      for (const follower of [...run.followers]) this.#answer(follower, reply, 'coalesced');
      try {
        // It may have been switched off while this was run.
        if (this.#keeps(reply.modelName))
          this.store.keep(run.key, reply, this.#tunings.get(reply.modelName)?.ttlMs);
      } catch (fault) {
        this.#options.dispatcher.reportFault(fault);
      }
    },
    failed: (run: SharedRun, error: WireError): void => {
      if (leadersOwn.has(error.code)) {
        this.#handOver(run);
        return;
      }
      this.#end(run);
      for (const follower of [...run.followers]) this.#fail(follower, error);
    },
  };

  #keeps(modelName: string): boolean {
    const { models } = this.#options;
    return this.#tunings.get(modelName)?.enabled ?? models?.has(modelName) ?? true;
  }

  #end(run: SharedRun): void {
    run.isOver = true;
    this.#runs.delete(run.key);
  }

  /** The leader left without an answer: its first follower leads a run of its own, for itself and the others. */
  #handOver(run: SharedRun): void {
    this.#end(run);
    const [first, ...others] = run.followers;
    const { kept } = run;
    if (first === undefined || kept === undefined) return;
    const { generation, protocol, id, sink, options, caller, deadlineMs } = first;
    const next = new SharedRun(run.key, sink, this.#listener);
    next.kept = kept;
    const dueWithinMs = deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - performance.now());
    // From here on the dispatcher counts it, and has to find the room for it.
    this.#uncount(first);
    const pending = this.#lead(next, {
      generation,
      protocol,
      request: kept,
      id,
      sink,
      options,
      caller,
      dueWithinMs,
    });
    if ('code' in pending) {
      for (const follower of [first, ...others]) this.#fail(follower, pending);
      return;
    }
    this.#detach(first);
    first.pending = pending;
    for (const follower of others) {
      run.followers.delete(follower);
      next.followers.add(follower);
      follower.run = next;
    }
  }

  #answer(request: SharedRequest, answer: Answer, use: CacheUse): void {
    const { id, options, sink, generation } = request;
    const { modelName, modelVersion } = generation;
    const { columns, batched, rowStart, rows } = answer;
    let outcome: Outcome = 'OK';
    try {
      sink.cached?.(use);
      sink.reply({ id, modelName, modelVersion, columns, batched, rowStart, rows, options });
    } catch (fault) {
      outcome = 'INTERNAL';
      sink.fail(this.#options.dispatcher.reportFault(fault));
    }
    this.#leave(request, outcome);
  }

  #fail(request: SharedRequest, error: WireError): void {
    request.sink.fail(error);
    this.#leave(request, error.code);
  }

  /** The one place where a request that had no run of its own leaves and is counted. */
  #leave(request: SharedRequest, outcome: Outcome): void {
    request.isOver = true;
    this.#detach(request);
    const { metrics } = request.generation;
    const seconds = (performance.now() - request.arrivedMs) / 1000;
    metrics.outcomes.count(request.protocol, outcome);
    metrics.requestSeconds.record(seconds);
    if (outcome !== 'OK') metrics.failedSeconds += seconds;
  }

  /** From the run that it followed, if it did. */
  #detach(request: SharedRequest): void {
    const { run } = request;
    if (run === undefined) return;
    request.run = undefined;
    run.followers.delete(request);
    this.#followers -= 1;
    this.#uncount(request);
    this.#deadlines.remove(request);
    request.generation.release();
  }

  #uncount(request: SharedRequest): void {
    if (request.held !== undefined) this.#options.dispatcher.callers.release(request.held);
    request.held = undefined;
  }
}
