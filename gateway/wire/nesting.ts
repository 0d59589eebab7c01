/**
 * How the data of a tensor is nested, and what is wrong with that: one judgement for JSON text and for built values, so
 * that the same mistake gets the same code whichever way it was sent. Only for data that could not be read.
 * Invariant: `sizes` is the shape of the data if and only if `even` is true.
 */
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, type WireError } from './error-code.ts';
import { fitsShape } from './json-list.ts';
import type { TensorHead } from './packed-elements.ts';
import { quoted } from './strict-text.ts';

export interface Nesting {
  /** Lengths along the first elements, from the outermost array in. An array without elements ends it with 0. */
  readonly sizes: readonly number[];
  /** Whether all arrays at one depth are equally long and all elements are equally deep. */
  readonly even: boolean;
  readonly elements: number;
}

/** Undefined when the data is nested in one of the ways that the shape can be written. */
export function nestingError(nesting: Nesting, tensor: TensorHead): WireError | undefined {
  const { sizes, even, elements } = nesting;
  const { shape } = tensor;
  const count = elementCount(shape);
  const data = `The data of input ${quoted(tensor.name)}`;
  const ofShape = `its shape is [${shape.join(', ')}]`;
  if (!even) return fail('SHAPE_MISMATCH', `${data} is nested unevenly; ${ofShape}.`);
  if (sizes.length === 1 && elements !== count) {
    return fail(
      'ELEMENT_COUNT_MISMATCH',
      `${data} has ${elements} elements, but ${ofShape}, which takes ${count}.`,
    );
  }
  if (!fitsShape(sizes, shape)) {
    return fail('SHAPE_MISMATCH', `${data} is nested as [${sizes.join(', ')}], but ${ofShape}.`);
  }
  return undefined;
}

/** Measures arrays that a decoder has built; whatever is not an array counts as one element. */
export function measureValues(values: readonly unknown[]): Nesting {
  const sizes: number[] = [];
  for (let level: unknown = values; Array.isArray(level); level = level[0]) sizes.push(level.length);
  const { even, elements } = measureLevel(values, sizes, 0);
  return { sizes, even, elements };
}

function measureLevel(
  values: readonly unknown[],
  sizes: readonly number[],
  axis: number,
): { readonly even: boolean; readonly elements: number } {
  const innermost = axis === sizes.length - 1;
  let even = values.length === sizes[axis];
  let elements = 0;
  for (const value of values) {
    if (Array.isArray(value) === innermost) even = false;
    const inner = Array.isArray(value) ? measureLevel(value, sizes, axis + 1) : { even: true, elements: 1 };
    if (!inner.even) even = false;
    elements += inner.elements;
  }
  return { even, elements };
}
