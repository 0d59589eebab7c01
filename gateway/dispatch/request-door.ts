/**
 * The straight line every request takes, whatever it came by: route, decode, admit, batch. One call, no promise: when it
 * returns, the bytes it was given may be reused.
 */
import { checkRequest } from '../admission/check-request.ts';
import type { Limits } from '../admission/limits.ts';
import { haveSameInputs } from '../admission/same-inputs.ts';
import { shorter } from '../admission/shorter-time.ts';
import { type MissingKeyPolicy, missingKeyRefusal } from '../route/missing-key.ts';
import type { RouteTable } from '../route/route-table.ts';
import type { KeySource } from '../route/routing-key.ts';
import type { Routed } from '../route/traffic-split.ts';
import type { OutcomeCounter, Protocol } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import { fail, succeed } from '../wire/error-code.ts';
import type { LateAnswers } from './bodies/late-answer.ts';
import { LateRequest, type LateRequests } from './bodies/late-request.ts';
import type { ResponseCache } from './cache/response-cache.ts';
import { coldCall, coldLarge } from './cold-call.ts';
import { ColdRequest, type ColdStarts } from './cold-starts.ts';
import type { Dispatcher } from './dispatcher.ts';
import { modelCold } from './failure-answers.ts';
import type {
  AcceptedRequest,
  EarlyBody,
  IncomingRequest,
  LargeRequest,
  Resolvable,
  RunRequest,
  TakenLater,
} from './incoming-request.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { RequestMirror } from './request-mirror.ts';
import { PendingRequest } from './request-queue.ts';
import { sequenceRefusals } from './sequences/sequence-refusals.ts';
import { SequenceStep } from './sequences/sequence.ts';
import type { Sequences } from './sequences/sequences.ts';
import { type Trial, type TrialWatch, trialFor } from './trial.ts';

export type { AcceptedRequest, IncomingRequest } from './incoming-request.ts';

/** The version for a request, and what its outcome is evidence for. */
interface Target extends Routed<ModelGeneration, RequestMirror> {
  readonly trial?: Trial | undefined;
  /** The same for the copy that `mirror` gets. */
  readonly copyTrial?: Trial | undefined;
}

export interface RequestDoorOptions {
  readonly dispatcher: Dispatcher;
  /** Undefined when every request is run. */
  readonly cache?: ResponseCache | undefined;
  /** Reads bodies that are too large for the event loop. */
  readonly late: LateRequests;
  /** Writes answers that are. */
  readonly lateAnswers: LateAnswers;
  /** Runs the calls of models with state. */
  readonly sequences: Sequences;
  /** Keeps the requests of models that are not in memory until they are. */
  readonly cold: ColdStarts<TakenLater>;
  readonly limits: Limits;
  /** Requests that failed before a model was known. */
  readonly unrouted: OutcomeCounter;
  readonly missingKey: MissingKeyPolicy;
  /** Where transports look for keys; named to callers who send none and should. */
  readonly keySources: readonly KeySource[];
  /** By the id of the rollout; live models keep it. */
  readonly watches: ReadonlyMap<string, TrialWatch>;
}

const draining = fail(
  'SHUTTING_DOWN',
  'The gateway is shutting down. Send the request to another one, or again later.',
);

const forceNotAllowed = fail(
  'FORCE_NOT_ALLOWED',
  'The header x-model-version names another version than this caller meets, and it may not choose here. Send the request without the header.',
);

export class RequestDoor {
  readonly #options: RequestDoorOptions;
  readonly #missingKey: WireError;
  #routes: RouteTable<ModelGeneration, RequestMirror>;
  #closed = false;

  constructor(options: RequestDoorOptions, routes: RouteTable<ModelGeneration, RequestMirror>) {
    this.#options = options;
    this.#missingKey = missingKeyRefusal(options.keySources);
    this.#routes = routes;
  }

  get routes(): RouteTable<ModelGeneration, RequestMirror> {
    return this.#routes;
  }

  get lateAnswers(): LateAnswers {
    return this.#options.lateAnswers;
  }

  reportFault(fault: unknown): WireError {
    return this.#options.dispatcher.reportFault(fault);
  }

  /** Puts a new table in force: requests from now on see it, requests before have their generation in hand. */
  setRoutes(routes: RouteTable<ModelGeneration, RequestMirror>): void {
    this.#routes = routes;
    const { sequences } = this.#options;
    if (sequences.open === 0) return;
    sequences.keepOnly((generation) => {
      return routes.models.get(generation.modelName)?.versions.get(generation.modelVersion) === generation;
    });
  }

  /** From now on every request is refused as SHUTTING_DOWN, except those that are held. */
  close(): void {
    this.#closed = true;
  }

  /** The request in flight, or the error to answer with; the sink is only called in the first case. */
  accept(incoming: IncomingRequest): AcceptedRequest | WireError {
    const { protocol } = incoming;
    const early = this.#readEarly(incoming);
    if (early !== undefined && 'code' in early) return this.refuse(protocol, early);
    const target = this.#resolve(incoming, early === undefined ? incoming.routingKey : early.key);
    if (!target.ok) return this.refuse(protocol, target);
    const generation = target.value;
    const outcome = generation.isDormant
      ? this.#waitSafely(incoming, generation, early)
      : this.#admitSafely(incoming, target, early);
    if ('code' in outcome) generation.metrics.outcomes.count(protocol, outcome.code);
    return outcome;
  }

  /** The same for a large body, which is taken over: what is wrong inside it comes later, through the sink. */
  acceptLarge(large: LargeRequest): LateRequest | ColdRequest<TakenLater> | WireError {
    const target = this.#resolve(large, large.routingKey);
    if (!target.ok) return this.refuse(large.protocol, target);
    const outcome = target.value.isDormant
      ? this.#waitLarge(large, target.value)
      : this.#takeLarge(large, target);
    if ('code' in outcome) target.value.metrics.outcomes.count(large.protocol, outcome.code);
    return outcome;
  }

  /** The client is gone. */
  abandon(request: AcceptedRequest | LateRequest): void {
    const { late, sequences, cache, cold, dispatcher } = this.#options;
    if (request instanceof ColdRequest) {
      if (!cold.abandon(request) && request.taken !== undefined) this.abandon(request.taken);
    } else if (request instanceof LateRequest) late.abandon(request);
    else if (request instanceof SequenceStep) sequences.abandon(request);
    else if (cache !== undefined) cache.abandon(request);
    else if (request instanceof PendingRequest) dispatcher.abandon(request);
  }

  /** The client no longer wants it: what has not begun is answered CANCELLED. */
  cancel(request: AcceptedRequest): void {
    const { sequences, cache, cold, dispatcher } = this.#options;
    if (request instanceof ColdRequest) {
      const { taken } = request;
      // A body that is read on a thread is none of a stream, which alone can cancel.
      const isElsewhere = !cold.cancel(request) && taken !== undefined;
      if (isElsewhere && !(taken instanceof LateRequest)) this.cancel(taken);
    } else if (request instanceof SequenceStep) sequences.cancel(request);
    else if (cache !== undefined) cache.cancel(request);
    else if (request instanceof PendingRequest) dispatcher.cancel(request);
  }

  /** Answers everything that is left, because the process will not live to run it. */
  failAll(error: WireError): void {
    this.#options.cold.failAll(error);
    this.#options.late.failAll(error);
    this.#options.sequences.failAll(error);
    this.#options.dispatcher.failAll(error);
  }

  /** Counts a request that a transport turned away before a model was known. */
  refuse(protocol: Protocol, error: WireError): WireError {
    this.#options.unrouted.count(protocol, error.code);
    return error;
  }

  /** The body, read as the live version takes it, where a rollout needs the key that may be in it; mostly undefined. */
  #readEarly({
    modelName,
    modelVersion,
    held,
    decodeWithKey,
  }: IncomingRequest): EarlyBody | WireError | undefined {
    if (decodeWithKey === undefined || modelVersion !== undefined) return undefined;
    if (this.#closed && held !== true) return undefined;
    const routes = this.#routes.models.get(modelName);
    if (routes === undefined || (routes.split ?? routes.mirror) === undefined) return undefined;
    const { signature } = routes.live;
    try {
      const read = decodeWithKey(signature);
      return read.ok ? { ...read.value, signature } : read;
    } catch (fault) {
      return this.reportFault(fault);
    }
  }

  #resolve(incoming: Resolvable, routingKey: string | undefined): Target | WireError {
    if (this.#closed && incoming.held !== true) return draining;
    const routes = this.#routes;
    if (routes.divides) return this.#divide(incoming, routingKey);
    const { modelName, modelVersion, expectedVersion } = incoming;
    const routed = routes.resolve(modelName, modelVersion);
    return isOther(routed, expectedVersion) ? forceNotAllowed : routed;
  }

  /** For who has waited for a version. What he meets now may be another one that is not in memory, and nobody waits twice. */
  #resolveAgain(request: IncomingRequest | LargeRequest): Target | WireError {
    const target = this.#resolve(request, request.routingKey);
    return target.ok && target.value.isDormant ? modelCold(0) : target;
  }

  /** While some model has a rollout. */
  #divide(incoming: Resolvable, routingKey: string | undefined): Target | WireError {
    const { modelName, modelVersion, headers, expectedVersion } = incoming;
    const drawnKey = routingKey === undefined ? this.#keyOfNobody() : undefined;
    const routed = this.#routes.resolve(modelName, modelVersion, { key: routingKey, headers, drawnKey });
    if (!routed.ok) return routed;
    const key = routingKey ?? drawnKey;
    if (routed.rollout === undefined) {
      if (isOther(routed, expectedVersion)) return forceNotAllowed;
      const { mirror, value } = routed;
      return mirror === undefined || mirror.takes(key) ? routed : succeed(value);
    }
    const { id, variant, evidence } = routed.rollout;
    // One that came before the rollout was not asked for a key.
    const lacksKey = routed.rollout.lacksKey === true && key === undefined && headers !== undefined;
    if (lacksKey && this.#options.missingKey === 'reject') return this.#missingKey;
    if (isOther(routed, expectedVersion)) return forceNotAllowed;
    incoming.sink.routed?.({ id, variant, modelVersion: routed.value.modelVersion });
    if (evidence === undefined) return routed;
    const { watches } = this.#options;
    const { mirror, value } = routed;
    // Without a key each request is a caller of its own.
    const trial = trialFor(watches, evidence, key ?? String(Math.random()));
    if (mirror === undefined) return { ...routed, trial };
    if (key === undefined || !mirror.takes(key)) return { ok: true, value, rollout: routed.rollout, trial };
    const copyTrial = trialFor(watches, { ...evidence, arm: 'candidate' }, key);
    return { ...routed, trial: trial && { ...trial, isCopied: true }, copyTrial };
  }

  #keyOfNobody(): string | undefined {
    return this.#options.missingKey === 'random' ? String(Math.random()) : undefined;
  }

  #takeLarge(large: LargeRequest, { value, trial }: Target): LateRequest | WireError {
    if (value.layout !== undefined) return sequenceRefusals.tooLarge;
    return this.#options.late.take(value, large, trial);
  }

  #waitLarge(large: LargeRequest, generation: ModelGeneration): ColdRequest<TakenLater> | WireError {
    const again = (request: LargeRequest): LateRequest | WireError => {
      const target = this.#resolveAgain(request);
      return target.ok ? this.#takeLarge(request, target) : target;
    };
    return this.#options.cold.take(coldLarge(large, generation, again));
  }

  #waitSafely(
    incoming: IncomingRequest,
    generation: ModelGeneration,
    early: EarlyBody | undefined,
  ): ColdRequest<TakenLater> | WireError {
    const { cold, dispatcher, limits } = this.#options;
    const again = (request: IncomingRequest): RunRequest | WireError => {
      const target = this.#resolveAgain(request);
      return target.ok ? this.#admitSafely(request, target, undefined) : target;
    };
    try {
      const call = coldCall({ incoming, generation, early, limits }, again);
      return 'code' in call ? call : cold.take(call);
    } catch (fault) {
      return dispatcher.reportFault(fault);
    }
  }

  /** An exception here would end the process for the sake of one request. */
  #admitSafely(
    incoming: IncomingRequest,
    target: Target,
    early: EarlyBody | undefined,
  ): RunRequest | WireError {
    try {
      return this.#admit(incoming, target, early);
    } catch (fault) {
      return this.reportFault(fault);
    }
  }

  #admit(
    incoming: IncomingRequest,
    { value: generation, trial, mirror, copyTrial }: Target,
    early: EarlyBody | undefined,
  ): RunRequest | WireError {
    const { dispatcher, cache, limits } = this.#options;
    const { signature } = generation;
    const isRead = early !== undefined && haveSameInputs(early.signature, signature);
    const decoded = isRead ? early.request : incoming.decode(signature);
    if (!decoded.ok) return decoded;
    const { id, options } = decoded.value;
    const dueWithinMs = shorter(options?.dueWithinMs, incoming.dueWithinMs);
    if (generation.layout !== undefined || options?.sequence !== undefined) {
      const { protocol, modelName, modelVersion, decode, sink, caller } = incoming;
      const call = { protocol, modelName, modelVersion, decode, sink, caller, trial, dueWithinMs };
      return this.#options.sequences.take({ ...call, target: generation, request: decoded.value });
    }
    const admitted = checkRequest(decoded.value, signature, limits);
    if (!admitted.ok) return admitted;
    const pair = mirror?.pair(incoming.sink);
    const pending = (cache ?? dispatcher).submit({
      generation,
      protocol: incoming.protocol,
      request: admitted.value,
      id,
      sink: pair?.sink ?? incoming.sink,
      trial,
      options,
      caller: incoming.caller,
      dueWithinMs,
    });
    // What is not run says nothing new to a shadow.
    if (pair !== undefined && pending instanceof PendingRequest) pair.copy(decoded.value, copyTrial);
    return pending;
  }
}

function isOther(
  routed: Routed<ModelGeneration, RequestMirror> | WireError,
  expectedVersion: string | undefined,
): boolean {
  return expectedVersion !== undefined && routed.ok && routed.value.modelVersion !== expectedVersion;
}
