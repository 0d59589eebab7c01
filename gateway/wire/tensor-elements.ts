/**
 * The one place where the elements of an input, in whatever form they arrived, become what a model runs on.
 * It only chooses: packed bytes, JSON text and built values each have a file of their own.
 * Invariant: every form obeys the same rules, so the same tensor gives the same elements whichever way it was sent.
 */
import type { NumericArray } from '../../runtime/tensor/dtype.ts';
import type { Result, WireError } from './error-code.ts';
import type { InputTensor } from './infer-request.ts';
import { readJsonStrings, writeJsonElements } from './json-elements.ts';
import { readPackedStrings, writePackedElements } from './packed-elements.ts';
import { readValueStrings, writeValueElements } from './value-elements.ts';

/**
 * Writes the elements of `tensor` into `target`: the array type of its datatype, with exactly the elements of its
 * shape (row-major). The target stays the caller's; after an error its content is undefined. Not for BYTES.
 * Codes: ELEMENT_COUNT_MISMATCH, SHAPE_MISMATCH, INVALID_ELEMENT, MALFORMED_JSON.
 */
export function writeElements(tensor: InputTensor, target: NumericArray): WireError | undefined {
  const { source } = tensor;
  switch (source.kind) {
    case 'packed':
      return writePackedElements(source.bytes, tensor, target);
    case 'json':
      return writeJsonElements(source, tensor, target);
    case 'values':
      return writeValueElements(source.values, tensor, target);
  }
}

/** The elements of a BYTES tensor, row-major. Same codes. */
export function readStrings(tensor: InputTensor): Result<readonly string[]> {
  const { source } = tensor;
  switch (source.kind) {
    case 'packed':
      return readPackedStrings(source.bytes, tensor);
    case 'json':
      return readJsonStrings(source, tensor);
    case 'values':
      return readValueStrings(source.values, tensor);
  }
}
