/**
 * A request as a transport hands it to the door, and what it becomes there: it runs, its body is read, or it waits for its
 * model.
 */
import type { ModelSignature } from '../../runtime/tensor/signature.ts';
import type { HeaderValues } from '../route/caller.ts';
import type { Protocol } from '../telemetry/version-metrics.ts';
import type { Result } from '../wire/error-code.ts';
import type { InferRequest } from '../wire/infer-request.ts';
import type { LargeBody, LateRequest } from './bodies/late-request.ts';
import type { SharedRequest } from './cache/shared-run.ts';
import type { ColdRequest } from './cold-starts.ts';
import type { PendingRequest, ReplySink } from './request-queue.ts';
import type { SequenceStep } from './sequences/sequence.ts';

export interface IncomingRequest {
  readonly protocol: Protocol;
  readonly modelName: string;
  /** Undefined for the live version, or what the rollout of the model says. */
  readonly modelVersion: string | undefined;
  /** What a rollout divides by: the same key meets the same version. Undefined when the request carries none. */
  readonly routingKey?: string | undefined;
  /** Headers that rules of the rollout name; undefined where nobody looked for these and the key. */
  readonly headers?: HeaderValues | undefined;
  /** The version that the caller names without being allowed to choose: it is answered if it meets that one anyway. */
  readonly expectedVersion?: string | undefined;
  /** The signature is only needed by formats that do not name datatypes and shapes themselves. */
  readonly decode: (signature: ModelSignature) => Result<InferRequest>;
  /**
   * The same in one pass with the key of a request that has it in its body: then the body is read before it is known which
   * version answers.
   */
  readonly decodeWithKey?: ((signature: ModelSignature) => Result<KeyedRequest>) | undefined;
  readonly sink: ReplySink;
  /** Its client began to send it before the gateway began to shut down: it is taken even now. */
  readonly held?: boolean;
  /** Who sent it, where callers are bound by what they may have here. */
  readonly caller?: string | undefined;
  /** From outside the message: milliseconds after arrival by which its answer is due; the shorter time counts. */
  readonly dueWithinMs?: number | undefined;
}

export interface KeyedRequest {
  readonly request: Extract<Result<InferRequest>, { readonly ok: true }>;
  /** What a rollout divides by; undefined when there is none. */
  readonly key: string | undefined;
}

/** What a transport gives back when its client is gone. */
export type AcceptedRequest = RunRequest | ColdRequest<TakenLater>;

/** What runs it, or is about to. */
export type RunRequest = PendingRequest | SharedRequest | SequenceStep;

/** What a request becomes that waited for its model. */
export type TakenLater = RunRequest | LateRequest;

/** A body that was read as one version takes it. */
export interface EarlyBody extends KeyedRequest {
  readonly signature: ModelSignature;
}

/** A request whose reading would hold the event loop. */
export interface LargeRequest extends LargeBody, Resolvable, Pick<IncomingRequest, 'routingKey'> {
  readonly sink: ReplySink;
}

/** What it takes to choose the version for a request. */
export type Resolvable = Pick<
  IncomingRequest,
  'modelName' | 'modelVersion' | 'headers' | 'expectedVersion' | 'held' | 'sink'
>;
