/**
 * The one value that every request format decodes to, and the one that every answer is encoded from.
 * A decoded request still points into the bytes it came from: it lives only as long as they do, which is until the
 * socket handler returns. Tensor elements are converted once, straight into the place where the batch will run.
 */
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';

/** Where the elements of an input are before they are written into their batch slot. */
export type TensorSource =
  /** Little-endian packed elements, exactly as the runtime wants them. BYTES: 4-byte length before each element. */
  | { readonly kind: 'packed'; readonly bytes: Uint8Array }
  /** The span `[start, end)` of a JSON array, flat or nested, inside `text`. Brackets are part of the span. */
  | { readonly kind: 'json'; readonly text: Uint8Array; readonly start: number; readonly end: number }
  /** Values that a decoder had to materialise, for example msgpack arrays of numbers. */
  | { readonly kind: 'values'; readonly values: readonly unknown[] };

export interface InputTensor {
  readonly name: string;
  readonly datatype: Datatype;
  /** Sizes as sent; every one is a non-negative safe integer, and so is their product. */
  readonly shape: readonly number[];
  readonly source: TensorSource;
}

export interface InferRequest {
  /** Echoed in the answer with the type it came in. JSON carries strings only; msgpack also whole numbers. */
  readonly id: string | number | undefined;
  readonly inputs: readonly InputTensor[];
  /** Names of the outputs wanted, in the order wanted; undefined means all of them. */
  readonly outputs: readonly string[] | undefined;
  /** Undefined for the usual request, which asks for nothing out of the ordinary. */
  readonly options: RequestOptions | undefined;
}

/** How one output is wanted. */
export interface OutputForm {
  /** As bytes behind the JSON (binary tensor data extension); other formats have one way to write and do not ask. */
  readonly binary: boolean;
  /** So many of the largest elements as "value:index" (classification extension); 0 for the elements themselves. */
  readonly classes: number;
}

/** Which sequence a request belongs to, and where in it (sequence extension). */
export interface SequenceWish {
  /** Undefined when only the start or the end was given. Numbers and their text are the same. */
  readonly id: string | undefined;
  readonly start: boolean;
  readonly end: boolean;
}

/** What a request asks for beyond tensors. */
export interface RequestOptions {
  /** Milliseconds after its arrival by which its answer is due; undefined lets it wait. */
  readonly dueWithinMs: number | undefined;
  /** As sent: 0 is the default, 1 the most urgent, larger numbers come later. */
  readonly priority: number;
  /** One for each of the request's `outputs`; undefined when none of them has a form of its own. */
  readonly outputForms: readonly OutputForm[] | undefined;
  /** For outputs without a form of their own. */
  readonly defaultForm: OutputForm;
  /** Undefined for a request that belongs to none. */
  readonly sequence: SequenceWish | undefined;
}

/**
 * One output of a whole batch. A request's rows are `[rowStart, rowStart + rows)` of it. The data is only valid while
 * the reply is being encoded: the arena slot behind it is reused afterwards.
 */
export interface OutputColumn {
  readonly name: string;
  readonly datatype: Datatype;
  /** Dimensions behind the batch for a batched model, all dimensions otherwise. */
  readonly rowShape: readonly number[];
  /** Elements of one row: the product of `rowShape`. */
  readonly rowElements: number;
  /** Packed elements of the whole batch (FP16 as bit patterns, BOOL as 0 and 1), or strings for BYTES. */
  readonly data: NumericArray | readonly string[];
}

export interface InferReply {
  readonly id: string | number | undefined;
  readonly modelName: string;
  readonly modelVersion: string;
  /** In the order the client asked for, or the order of the model. */
  readonly columns: readonly OutputColumn[];
  /** False for a model that runs every request alone: then `rowShape` is the whole shape and `rowStart` is 0. */
  readonly batched: boolean;
  readonly rowStart: number;
  readonly rows: number;
  /** Those of the request; the forms of outputs are in the order of the columns. */
  readonly options: RequestOptions | undefined;
}
