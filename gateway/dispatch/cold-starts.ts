/**
 * Requests for versions that are not in memory: they wait, in bounds, until one load has brought the version there, and are
 * then taken as if they came now. Whoever cannot be served in time is told at once when to come again; the load goes on,
 * so that he finds the model when he does.
 *
 * Invariants: of one version at most one load is asked for at a time; a request that waits is taken up or told why not,
 * exactly once, unless its client is gone; nobody waits past `coldWaitMsMax` or his own deadline.
 */
import { performance } from 'node:perf_hooks';
import type { CallerShare, CallerShares } from '../admission/caller-shares.ts';
import type { Due } from '../batch/deadline-queue.ts';
import { type ColdLimits, ColdLine, type ColdLoad } from '../residency/cold-line.ts';
import type { Protocol } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import { callerLimits, cancelled, deadlineExceeded, modelCold } from './failure-answers.ts';
import { DeadlineWatch } from './deadline-watch.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { ReplySink } from './request-queue.ts';

/** What came of an attempt to bring a version into memory. */
export type Woken =
  /** It is there, or something else is in its place. */
  | { readonly kind: 'look_again' }
  /** There is no room before then, on the clock of `performance.now()`. */
  | { readonly kind: 'later'; readonly atMs: number }
  | { readonly kind: 'failed'; readonly error: WireError };

export interface ColdCall<Taken> extends ColdLoad, CallerShare {
  /** Dormant. */
  readonly generation: ModelGeneration;
  readonly protocol: Protocol;
  readonly sink: ReplySink;
  /** Milliseconds after arrival by which its answer is due. */
  readonly dueWithinMs: number | undefined;
  /** Takes it as if it came now, with what is left of its time. */
  readonly resume: (dueWithinMs: number | undefined) => Taken | WireError;
}

export interface ColdStartsOptions {
  readonly limits: ColdLimits;
  /** What each caller has in the gateway: what waits here is part of it. */
  readonly callers: CallerShares;
  /** Brings a dormant version into memory; what it waits for comes first. */
  readonly wake: (generation: ModelGeneration) => Promise<Woken>;
  /** How long that should take from now, milliseconds; Infinity when nobody can say. */
  readonly expectedMs: (generation: ModelGeneration) => number;
  /** An invariant broke; the answer to give. */
  readonly reportFault: (fault: unknown) => WireError;
}

/** A request that waits for its model. */
export class ColdRequest<Taken> implements Due {
  readonly call: ColdCall<Taken>;
  readonly arrivedMs: number;
  /** Until then it waits. */
  readonly deadlineMs: number;
  dueSeat = -1;
  /** `taken`: its model is there, and somebody else has it. */
  state: 'waiting' | 'taken' | 'over' = 'waiting';
  taken: Taken | undefined;

  constructor(
    call: ColdCall<Taken>,
    { arrivedMs, waitMs }: { readonly arrivedMs: number; readonly waitMs: number },
  ) {
    this.call = call;
    this.arrivedMs = arrivedMs;
    this.deadlineMs = arrivedMs + waitMs;
  }
}

/** A version that is asked for and not there. */
interface ColdVersion<Taken> {
  readonly waiting: Set<ColdRequest<Taken>>;
  /** When it should be there. */
  readyAtMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** Where there is no room, a look is taken again no sooner and no later than this, milliseconds. */
const lookAgainMsMin = 20;
const lookAgainMsMax = 1000;

export class ColdStarts<Taken> {
  readonly #options: ColdStartsOptions;
  readonly #line: ColdLine;
  readonly #versions = new Map<ModelGeneration, ColdVersion<Taken>>();
  readonly #deadlines = new DeadlineWatch<ColdRequest<Taken>>((request) => {
    this.#missed(request);
  });

  constructor(options: ColdStartsOptions) {
    this.#options = options;
    this.#line = new ColdLine(options.limits);
  }

  /** Rows that wait for their model. */
  get rows(): number {
    return this.#line.rows;
  }

  get bytes(): number {
    return this.#line.bytes;
  }

  /** Codes: MODEL_COLD, CALLER_LIMIT, and that for which the version is not run at all. */
  take(call: ColdCall<Taken>): ColdRequest<Taken> | WireError {
    const { generation, dueWithinMs } = call;
    if (generation.refusal !== undefined) return generation.refusal;
    const nowMs = performance.now();
    const version = this.#versions.get(generation) ?? this.#begin(generation, nowMs);
    const expectedMs = Math.max(0, version.readyAtMs - nowMs);
    const { callers } = this.#options;
    const lack = callers.lackOf(call);
    if (lack !== undefined) return { ...callerLimits[lack], retryAfterMs: expectedMs };
    const verdict = this.#line.admit(call, { dueWithinMs, expectedMs });
    if (verdict !== 'waits') return modelCold(expectedMs);
    callers.take(call);
    const request = new ColdRequest(call, { arrivedMs: nowMs, waitMs: this.#line.waitMsMax(dueWithinMs) });
    version.waiting.add(request);
    this.#deadlines.add(request);
    return request;
  }

  /** The client is gone. True while it waits here; else it is with whoever took it. */
  abandon(request: ColdRequest<Taken>): boolean {
    if (this.#leave(request, 'over')) this.#count(request, 'ABANDONED');
    return request.state !== 'taken';
  }

  /** The client no longer wants it. True while it waits here, and then it is told so. */
  cancel(request: ColdRequest<Taken>): boolean {
    this.#fail(request, cancelled);
    return request.state !== 'taken';
  }

  /** Tells everybody who waits, because the process will not live to load it. */
  failAll(error: WireError): void {
    for (const version of this.#versions.values()) {
      clearTimeout(version.timer);
      for (const request of [...version.waiting]) this.#fail(request, error);
    }
  }

  #begin(generation: ModelGeneration, nowMs: number): ColdVersion<Taken> {
    const readyAtMs = nowMs + this.#options.expectedMs(generation);
    const version: ColdVersion<Taken> = { waiting: new Set(), readyAtMs, timer: undefined };
    this.#versions.set(generation, version);
    void this.#wake(generation, version);
    return version;
  }

  async #wake(generation: ModelGeneration, version: ColdVersion<Taken>): Promise<void> {
    let woken: Woken;
    try {
      woken = await this.#options.wake(generation);
    } catch (fault) {
      woken = { kind: 'failed', error: this.#options.reportFault(fault) };
    }
    if (woken.kind === 'later') {
      this.#waitForRoom(generation, version, woken.atMs);
      return;
    }
    this.#versions.delete(generation);
    for (const request of [...version.waiting]) {
      if (woken.kind === 'failed') this.#fail(request, woken.error);
      else this.#resume(request);
    }
  }

  /** Those who cannot wait so long are told; for the others, and for those who come meanwhile, it is tried again. */
  #waitForRoom(generation: ModelGeneration, version: ColdVersion<Taken>, atMs: number): void {
    const nowMs = performance.now();
    version.readyAtMs = Math.max(atMs, nowMs + this.#options.expectedMs(generation));
    for (const request of [...version.waiting]) {
      if (request.deadlineMs < atMs) this.#fail(request, modelCold(version.readyAtMs - nowMs));
    }
    const delayMs = Math.min(Math.max(atMs - nowMs, lookAgainMsMin), lookAgainMsMax);
    version.timer = setTimeout(() => {
      if (version.waiting.size > 0) void this.#wake(generation, version);
      else this.#versions.delete(generation);
    }, delayMs).unref();
  }

  #resume(request: ColdRequest<Taken>): void {
    if (!this.#leave(request, 'taken')) return;
    const { call, arrivedMs } = request;
    const waitedMs = performance.now() - arrivedMs;
    call.generation.metrics.coldWaitSeconds.record(waitedMs / 1000);
    const outcome = this.#resumeSafely(request, waitedMs);
    if (!isError(outcome)) {
      request.taken = outcome;
      return;
    }
    this.#count(request, outcome.code);
    request.state = 'over';
    call.sink.fail(outcome);
  }

  /** An exception here would leave those behind it without an answer. */
  #resumeSafely({ call }: ColdRequest<Taken>, waitedMs: number): Taken | WireError {
    const { dueWithinMs } = call;
    try {
      return call.resume(dueWithinMs === undefined ? undefined : Math.max(1, dueWithinMs - waitedMs));
    } catch (fault) {
      return this.#options.reportFault(fault);
    }
  }

  #missed(request: ColdRequest<Taken>): void {
    const { generation, dueWithinMs } = request.call;
    const expectedMs = Math.max(0, (this.#versions.get(generation)?.readyAtMs ?? 0) - performance.now());
    const isOwn = dueWithinMs !== undefined && request.deadlineMs >= request.arrivedMs + dueWithinMs;
    this.#fail(request, isOwn ? { ...deadlineExceeded, retryAfterMs: expectedMs } : modelCold(expectedMs));
  }

  #fail(request: ColdRequest<Taken>, error: WireError): void {
    if (!this.#leave(request, 'over')) return;
    this.#count(request, error.code);
    request.call.sink.fail(error);
  }

  /** False when it does not wait any more. */
  #leave(request: ColdRequest<Taken>, state: 'taken' | 'over'): boolean {
    if (request.state !== 'waiting') return false;
    request.state = state;
    this.#versions.get(request.call.generation)?.waiting.delete(request);
    this.#line.leave(request.call);
    // Whoever takes it up counts it anew.
    this.#options.callers.release(request.call);
    this.#deadlines.remove(request);
    return true;
  }

  #count({ call }: ColdRequest<Taken>, outcome: WireError['code'] | 'ABANDONED'): void {
    call.generation.metrics.outcomes.count(call.protocol, outcome);
  }
}

function isError(outcome: unknown): outcome is WireError {
  return typeof outcome === 'object' && outcome !== null && 'code' in outcome;
}
