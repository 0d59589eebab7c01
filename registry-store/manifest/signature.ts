/**
 * What a model takes and gives, as the signed metadata of a version says it: names, datatypes and shapes.
 * It is read from the ONNX file at publish time; nothing here looks at tensor values. The store stands alone, so
 * this is its own copy of the protocol's datatype names; the gateway maps it to the runtime's by name.
 */

/** Names of the Open Inference Protocol v2, "Tensor Data Types". BYTES is ONNX's `string`. */
export const datatypes = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
] as const;

export type Datatype = (typeof datatypes)[number];

/** One input or output. A dimension is a size of at least 0, or -1 where the model accepts any. */
export interface TensorSignature {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly inputs: readonly TensorSignature[];
  readonly outputs: readonly TensorSignature[];
  /**
   * `rows`: the first dimension of every tensor is the batch, so rows of different requests may share a run.
   * `none`: every request runs alone, with exactly the shapes it sent.
   */
  readonly batching: 'rows' | 'none';
  /**
   * Rows of every run of a file that fixes them, at least 2, where its publisher declared that they do not depend on each
   * other. `batching` is then `none`: a node that proves the same while it loads the file lets requests share runs.
   */
  readonly fixedRows?: number | undefined;
}

/** The size of the first dimension of every tensor, where all have one, of one size, and that is more than a row. */
export function commonFirstSize({
  inputs,
  outputs,
}: Pick<ModelSignature, 'inputs' | 'outputs'>): number | undefined {
  const [first, ...others] = [...inputs, ...outputs].map(({ shape }) => shape[0]);
  return first !== undefined && first > 1 && others.every((size) => size === first) ? first : undefined;
}

/** Whether a tensor of one shape can be taken as the other. -1 on either side fits anything: what was given is compared again when it is. */
export function shapeFits(given: readonly number[], taken: readonly number[]): boolean {
  if (given.length !== taken.length) return false;
  return given.every((size, axis) => size < 0 || (taken[axis] ?? -1) < 0 || size === taken[axis]);
}
