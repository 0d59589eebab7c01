/**
 * Random tensors for property tests: every datatype, ranks 0 to 4, dimensions that may be 0, bit patterns that include
 * NaN and infinity. Each comes with its elements packed, so that a test can compare bytes and not numbers.
 */
import fc from 'fast-check';
import {
  datatypes,
  elementBytes,
  typedView,
  type Datatype,
  type NumericArray,
} from '../../../runtime/tensor/dtype.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';

export interface ArbitraryTensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Empty for BYTES. */
  readonly packed: Uint8Array;
  /** Empty for all but BYTES. */
  readonly strings: readonly string[];
}

const anyShape: fc.Arbitrary<number[]> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

/** Well-formed UTF-16: what UTF-8 can carry and give back. */
export const anyText: fc.Arbitrary<string> = fc.string({ unit: 'binary', maxLength: 80 });

/** What an element of BYTES can be: the runtime has no strings with a NUL. */
const anyElementText: fc.Arbitrary<string> = anyText.map((text) => text.replaceAll('\0', '0'));

export const anyTensor: fc.Arbitrary<ArbitraryTensor> = fc
  .record({ name: anyText, datatype: fc.constantFrom(...datatypes), shape: anyShape })
  .chain(({ name, datatype, shape }) => {
    const count = elementCount(shape);
    const size = elementBytes(datatype);
    const highest = datatype === 'BOOL' ? 1 : 255;
    return fc.record({
      name: fc.constant(name),
      datatype: fc.constant(datatype),
      shape: fc.constant(shape),
      packed: fc
        .array(fc.integer({ min: 0, max: highest }), { minLength: count * size, maxLength: count * size })
        .map((bytes) => Uint8Array.from(bytes)),
      strings: fc.array(anyElementText, {
        minLength: size === 0 ? count : 0,
        maxLength: size === 0 ? count : 0,
      }),
    });
  });

/** A zeroed array for the elements of a tensor, as an arena slot would be. */
export function emptyTarget(datatype: Datatype, shape: readonly number[]): NumericArray {
  if (datatype === 'BYTES') throw new TypeError('BYTES has no target');
  const count = elementCount(shape);
  const buffer = new SharedArrayBuffer(count * elementBytes(datatype));
  return typedView(datatype, { buffer, byteOffset: 0, elementCount: count });
}

/** The bytes behind a typed array, as a copy that compares with `toEqual`. */
export function bytesOf(array: NumericArray): number[] {
  return [...new Uint8Array(array.buffer, array.byteOffset, array.byteLength)];
}

/** Nests a flat list as the shape says; the list itself for ranks 0 and 1. */
export function nested(values: readonly unknown[], shape: readonly number[]): readonly unknown[] {
  const [size = 0, ...rest] = shape;
  if (rest.length === 0) return values;
  const step = elementCount(rest);
  return Array.from({ length: size }, (_, index) =>
    nested(values.slice(index * step, (index + 1) * step), rest),
  );
}
