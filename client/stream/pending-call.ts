/**
 * A call of the stream client from `infer` to its answer, and the frame it travels in.
 * Invariant: a call is settled once; it waits in the queue, sleeps, or belongs to one shipment, never two of these.
 */
import type { CallScope } from '../call-scope.ts';
import type { InferResult } from '../infer-result.ts';
import type { TidegateError } from '../tidegate-error.ts';
import type { RequestFields } from '../wire/request-fields.ts';

export interface PendingCall {
  readonly fields: Omit<RequestFields, 'remainingMs'>;
  readonly scope: CallScope;
  readonly resolve: (result: InferResult) => void;
  readonly reject: (error: TidegateError) => void;
  /** Calls with the same key may share a frame; undefined when this one goes alone. */
  joinKey: string | undefined;
  /** Times that it was sent. */
  attempts: number;
  shipment: Shipment | undefined;
  /** Set while it waits to be sent again. */
  wake: (() => void) | undefined;
  settled: boolean;
}

/** One request frame that the gateway owes an answer. */
export interface Shipment {
  readonly id: number;
  /** Where it was sent. */
  readonly connection: { cancel(id: number): void };
  /** Several when rows were joined; in the order of their rows. Those that are settled are owed nothing. */
  readonly calls: readonly PendingCall[];
  readonly frameBytes: number;
}
