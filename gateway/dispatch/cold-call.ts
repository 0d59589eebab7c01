/**
 * What is kept of a request while it waits for its model: what is wrong with it is said at once, what is right goes through
 * the door again as if it came then, with its elements in memory of its own and with what is left of its time.
 */
import { checkRequest } from '../admission/check-request.ts';
import type { Limits } from '../admission/limits.ts';
import { haveSameInputs } from '../admission/same-inputs.ts';
import { shorter } from '../admission/shorter-time.ts';
import { succeed, type WireError } from '../wire/error-code.ts';
import type { ColdCall } from './cold-starts.ts';
import type { EarlyBody, IncomingRequest, LargeRequest, TakenLater } from './incoming-request.ts';
import type { ModelGeneration } from './model-generation.ts';
import { keptInputs } from './sequences/sequence-inputs.ts';

export interface ColdArrival {
  readonly incoming: IncomingRequest;
  /** Dormant. */
  readonly generation: ModelGeneration;
  readonly early: EarlyBody | undefined;
  readonly limits: Pick<Limits, 'requestRowsMax' | 'requestBytesMax'>;
}

/** Codes: those of any request that is not as its model takes it. */
export function coldCall(
  { incoming, generation, early, limits }: ColdArrival,
  again: (incoming: IncomingRequest) => TakenLater | WireError,
): ColdCall<TakenLater> | WireError {
  const { protocol, sink, caller } = incoming;
  const { signature } = generation;
  const isRead = early !== undefined && haveSameInputs(early.signature, signature);
  const decoded = isRead ? early.request : incoming.decode(signature);
  if (!decoded.ok) return decoded;
  const admitted = checkRequest(decoded.value, signature, limits);
  if (!admitted.ok) return admitted;
  const kept = keptInputs(decoded.value.inputs);
  if (!kept.ok) return kept;
  const { inputs, bytes } = kept.value;
  const request = succeed({ ...decoded.value, inputs });
  const arrived: IncomingRequest = {
    // A copy: a socket uses the same object for its next request, which comes before this one is taken up.
    ...incoming,
    routingKey: early === undefined ? incoming.routingKey : early.key,
    decode: () => request,
    decodeWithKey: undefined,
    // Taken before the gateway began to shut down, if it does.
    held: true,
  };
  return {
    generation,
    protocol,
    caller,
    sink,
    rows: admitted.value.rows,
    bytes,
    dueWithinMs: shorter(decoded.value.options?.dueWithinMs, incoming.dueWithinMs),
    resume: (dueWithinMs) => again({ ...arrived, dueWithinMs }),
  };
}

/** The same for a large body, which is only read once its model is there. */
export function coldLarge(
  large: LargeRequest,
  generation: ModelGeneration,
  again: (large: LargeRequest) => TakenLater | WireError,
): ColdCall<TakenLater> {
  const { protocol, sink, body, caller, dueWithinMs } = large;
  return {
    generation,
    protocol,
    caller,
    sink,
    // How many it has is only known then.
    rows: 1,
    bytes: body.length,
    dueWithinMs,
    resume: (leftMs) => again({ ...large, dueWithinMs: leftMs, held: true }),
  };
}
