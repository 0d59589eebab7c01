/**
 * What crosses between the event loop and the thread that reads large bodies. A body is moved there, not copied; its
 * elements go from there straight into the shared arena. Only what the body says about itself comes back.
 *
 *     event loop                      body thread
 *     read    -- body ------------->  decode
 *             <-- heads, options ---
 *     admit, reserve a slot
 *     fill    -- addresses -------->  write the elements into the slot
 *             <-- strings ----------
 *     queue
 *
 * It also writes the text of large answers.
 */
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import type { Result } from '../../wire/error-code.ts';
import type { InferReply, InferRequest } from '../../wire/infer-request.ts';
import type { Filled } from '../fill-rows.ts';

/** The formats whose reading takes time in proportion to the text. */
export type TextFormat = 'oip-json' | 'oip-binary' | 'predict-json';

export interface BodyThreadStart {
  readonly arena: SharedArrayBuffer;
}

/** `ticket` names a body from `read` to `fill` or `drop`. */
export type BodyTask = ReadTask | FillTask | DropTask | WriteTask;

export interface ReadTask {
  readonly kind: 'read';
  readonly ticket: number;
  readonly format: TextFormat;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly jsonBytes: number;
  readonly signature: ModelSignature;
}

export interface FillTask {
  readonly kind: 'fill';
  readonly ticket: number;
  /** In the order of the model. */
  readonly inputs: readonly FillInput[];
}

export interface FillInput {
  readonly name: string;
  /** Where its rows are in the arena; not used for BYTES. */
  readonly byteOffset: number;
}

/** An answer to be written as text. */
export interface WriteTask {
  readonly kind: 'write';
  readonly ticket: number;
  readonly format: TextFormat;
  readonly reply: InferReply;
}

/** The body is not wanted any more. */
export interface DropTask {
  readonly kind: 'drop';
  readonly ticket: number;
}

/** An input without its elements, which stay with the thread. */
export interface ReadInput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly sourceBytes: number;
}

export interface ReadRequest extends Omit<InferRequest, 'inputs'> {
  readonly inputs: readonly ReadInput[];
}

export type BodyReply =
  | { readonly kind: 'read'; readonly ticket: number; readonly request: Result<ReadRequest> }
  | { readonly kind: 'filled'; readonly ticket: number; readonly filled: Result<Filled | undefined> }
  | {
      readonly kind: 'written';
      readonly ticket: number;
      readonly body: Uint8Array<ArrayBuffer>;
      readonly jsonBytes: number | undefined;
    };
