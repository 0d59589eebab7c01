/**
 * Whether a model can be asked anything at all within the limits of a node: a signature of a few bytes may ask for inputs of
 * any size, and whoever warms the model up would have to make them. Pure.
 */
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature } from '../../runtime/tensor/signature.ts';
import type { Limits } from './limits.ts';

/**
 * Why the inputs of its smallest run are larger than those of one request may be, a sentence; undefined where they are not.
 * The smallest run has one row, or as many as the file fixes, and 1 for every other size that is open.
 */
export function inputsTooLarge(
  { inputs }: Pick<ModelSignature, 'inputs'>,
  { requestBytesMax }: Pick<Limits, 'requestBytesMax'>,
): string | undefined {
  let bytes = 0;
  for (const { datatype, shape } of inputs) {
    // The shortest text has none, but has to be told from others.
    bytes += elementCount(shape.map((size) => (size < 0 ? 1 : size))) * Math.max(1, elementBytes(datatype));
  }
  if (bytes <= requestBytesMax) return undefined;
  return (
    `The inputs of its smallest run take ${bytes} bytes, and those of one request may take ${requestBytesMax}. ` +
    'Export it with smaller inputs, or start nodes with a larger --limit requestBytesMax.'
  );
}
