/**
 * What a model takes and gives: names, datatypes and shapes, and which of the dimensions is the batch.
 * The signature comes from the ONNX file; nothing here looks at tensor values.
 */
import type { Datatype } from './dtype.ts';

/**
 * One input or output. A dimension is a size, or -1 where the model accepts any. When the model is batched, the
 * first dimension of every input and output is the batch and stands as -1.
 */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export interface ModelSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * `rows`: rows of different requests may share a run along the first dimension of every tensor.
   * `none`: every request runs alone, with exactly the shapes it sent.
   */
  readonly batching: 'rows' | 'none';
  /**
   * Rows of every run of a file that fixes them, where whoever published it says that they do not depend on each other: at
   * least 2. As the store has it, `batching` is then `none` and the shapes are those of the file; see `asLoaded`.
   */
  readonly fixedRows?: number | undefined;
}

/**
 * What callers meet, once loading has shown how the model is batched. Where its file fixes the rows of a run, and they
 * proved to be independent, callers send any number of rows up to that: the first dimension stands as -1.
 */
export function asLoaded(
  { inputs, outputs, fixedRows }: ModelSignature,
  batching: ModelSignature['batching'],
): ModelSignature {
  if (batching === 'none' || fixedRows === undefined) return { inputs, outputs, batching };
  return { inputs: inputs.map(freeFirst), outputs: outputs.map(freeFirst), batching, fixedRows };
}

function freeFirst(spec: TensorSpec): TensorSpec {
  return { ...spec, shape: [-1, ...spec.shape.slice(1)] };
}

/** Product of all dimensions; 1 for a scalar (empty shape). */
export function elementCount(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
}
