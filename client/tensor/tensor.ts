/**
 * Typed tensors: a datatype, a shape and elements in row-major order. `tensor` makes one from what the caller has and
 * checks it, so that a mistake is found where it is made and not by the gateway.
 */
import { TidegateError } from '../tidegate-error.ts';
import {
  type Datatype,
  datatypes,
  isDatatype,
  type NumericData,
  type NumericDatatype,
  numericRow,
  type TensorDataByDatatype,
} from './datatype.ts';
import { numberToHalf } from './half-float.ts';

interface TensorOf<D extends Datatype> {
  readonly datatype: D;
  /** Sizes of the dimensions, outermost first; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** As many elements as the product of the shape. */
  readonly data: TensorDataByDatatype[D];
}

/** A union over the datatypes: comparing `datatype` tells the compiler what `data` is. */
export type Tensor<D extends Datatype = Datatype> = D extends Datatype ? TensorOf<D> : never;

/** A tensor of a result. */
export type NamedTensor<D extends Datatype = Datatype> = Tensor<D> & { readonly name: string };

/** What `tensor` takes as elements: the typed array itself, which is not copied, or plain values, which are checked. */
export interface TensorSourceByDatatype {
  BOOL: Uint8Array | readonly (boolean | 0 | 1)[];
  UINT8: Uint8Array | Uint8ClampedArray | readonly number[];
  UINT16: Uint16Array | readonly number[];
  UINT32: Uint32Array | readonly number[];
  UINT64: BigUint64Array | readonly (bigint | number)[];
  INT8: Int8Array | readonly number[];
  INT16: Int16Array | readonly number[];
  INT32: Int32Array | readonly number[];
  INT64: BigInt64Array | readonly (bigint | number)[];
  /** A Uint16Array holds bit patterns; plain numbers and a Float32Array are rounded to half precision. */
  FP16: Uint16Array | Float32Array | readonly number[];
  FP32: Float32Array | readonly number[];
  FP64: Float64Array | readonly number[];
  BYTES: readonly (string | Uint8Array)[];
}

/**
 * `tensor('FP32', [1, 4], [5.1, 3.5, 1.4, 0.2])`: elements flat and in row-major order. A typed array of the datatype
 * is kept as it is; do not change it before the call that it is given to has settled.
 * Throws INVALID_ARGUMENT when the count does not fit the shape or a value does not fit the datatype.
 */
export function tensor<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  data: TensorSourceByDatatype[D],
): Tensor<D> {
  // JavaScript callers have no compiler to stop them.
  if (!isDatatype(datatype)) {
    throw invalid(`The datatype ${String(datatype)} is none of ${datatypes.join(', ')}.`);
  }
  const count = elementCount(shape);
  const source = data as ArrayLike<unknown>;
  if (source.length !== count) {
    throw invalid(`The shape [${shape.join()}] takes ${count} elements; ${source.length} were given.`);
  }
  const held = datatype === 'BYTES' ? checkedBytes(source) : numericData(datatype, source);
  return { datatype, shape: [...shape], data: held } as unknown as Tensor<D>;
}

/** Product of a shape. Throws INVALID_ARGUMENT for a dimension that is no whole number from 0 on. */
export function elementCount(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw invalid(`The shape [${shape.join()}] holds ${size}; dimensions are whole numbers from 0 on.`);
    }
    count *= size;
  }
  if (!Number.isSafeInteger(count)) throw invalid(`The shape [${shape.join()}] has too many elements.`);
  return count;
}

/** Values in, typed array out; a typed array of the datatype comes back as it is. */
export function numericData(datatype: NumericDatatype, source: ArrayLike<unknown>): NumericData {
  const { array, range } = numericRow(datatype);
  if (source instanceof array) return source;
  if (datatype === 'UINT8' && source instanceof Uint8ClampedArray) {
    return new Uint8Array(source.buffer, source.byteOffset, source.length);
  }
  const target = new array(source.length);
  for (let index = 0; index < source.length; index++) {
    const value = source[index];
    if (range === undefined) target[index] = floatElement(datatype, value);
    else if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
      target[index] = wholeElement(datatype, value, range);
    } else target[index] = Number(wholeElement(datatype, value, range));
  }
  return target;
}

function floatElement(datatype: NumericDatatype, value: unknown): number {
  if (typeof value !== 'number') throw invalid(`${shown(value)} is no element of ${datatype}; give numbers.`);
  if (datatype === 'FP64') return value;
  const bits = datatype === 'FP16' ? numberToHalf(value) : 0;
  const overflows = datatype === 'FP16' ? (bits & 0x7fff) === 0x7c00 : !Number.isFinite(Math.fround(value));
  if (overflows && Number.isFinite(value)) throw invalid(`${value} is too large for ${datatype}.`);
  return datatype === 'FP16' ? bits : value;
}

function wholeElement(
  datatype: NumericDatatype,
  value: unknown,
  [min, max]: readonly [bigint, bigint],
): bigint {
  if (typeof value === 'boolean' && datatype === 'BOOL') return value ? 1n : 0n;
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) {
    throw invalid(`${shown(value)} is no element of ${datatype}; give whole numbers, above 2^53 as bigint.`);
  }
  const whole = BigInt(value as bigint | number);
  if (whole < min || whole > max)
    throw invalid(`${whole.toString()} is outside ${datatype}: ${min.toString()} to ${max.toString()}.`);
  return whole;
}

function checkedBytes(source: ArrayLike<unknown>): readonly (string | Uint8Array)[] {
  const elements = Array.from(source);
  const wrong = elements.findIndex((value) => typeof value !== 'string' && !(value instanceof Uint8Array));
  if (wrong === -1) return elements as (string | Uint8Array)[];
  throw invalid(`${shown(elements[wrong])} is no element of BYTES; give strings or Uint8Array.`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_ARGUMENT', message);
}
