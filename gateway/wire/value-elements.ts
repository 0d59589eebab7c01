/**
 * Tensors that arrive as values a decoder has built: msgpack arrays of numbers, booleans or strings, flat or nested.
 * Same rules as for JSON text: whole numbers within their range, no float that overflows; NaN and infinities are
 * values here, since msgpack can say them. Packed bytes, the faster way in, are in packed-elements.ts.
 * Invariant: nested arrays have exactly the shape that was declared, flat ones exactly as many elements.
 */
import assert from 'node:assert';
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { numberToHalf } from '../../runtime/tensor/half-float.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import { integerRange, type IntegerRange } from './integer-range.ts';
import { listSizes } from './json-list.ts';
import { measureValues, nestingError } from './nesting.ts';
import type { TensorHead } from './packed-elements.ts';
import { isElementText, quoted, readText } from './strict-text.ts';

type Values = readonly unknown[];
type BigArray = BigInt64Array | BigUint64Array;
type NumberArray = Exclude<NumericArray, BigArray>;

/** Takes the values of one innermost array, whose first one is element `start` of the tensor. */
type RowSink = (values: Values, start: number) => WireError | undefined;

/**
 * Writes values into `target`, which holds exactly the elements of the tensor's shape (`[rows, ...]`, row-major) and
 * stays the caller's. The values may be flat, nested as the shape says, or a list of flat rows. After an error
 * `target` may be partly written. 64-bit integers may be numbers or bigints and are exact.
 * Codes: ELEMENT_COUNT_MISMATCH, SHAPE_MISMATCH (nested otherwise than the shape), INVALID_ELEMENT.
 */
export function writeValueElements(
  values: Values,
  tensor: TensorHead,
  target: NumericArray,
): WireError | undefined {
  assert(target.length === elementCount(tensor.shape), 'the target holds the elements of the shape');
  const error = visitRows(values, tensor.shape, rowSinkFor(tensor, target));
  return error === undefined ? undefined : explain(error, values, tensor);
}

/** The elements of a BYTES tensor sent as strings, or as binary data that is UTF-8. Same codes. */
export function readValueStrings(values: Values, tensor: TensorHead): Result<string[]> {
  const strings: string[] = [];
  const error = visitRows(values, tensor.shape, (row, start) => {
    for (let index = 0; index < row.length; index++) {
      const text = textOf(row[index]);
      if (text === undefined) return unfit(tensor, start + index, row[index]);
      strings.push(text);
    }
    return undefined;
  });
  return error === undefined ? succeed(strings) : explain(error, values, tensor);
}

/**
 * Wrong nesting goes before a wrong element, as for JSON text: an element can only be named where the nesting says
 * which one it is.
 */
function explain(error: WireError, values: Values, tensor: TensorHead): WireError {
  return nestingError(measureValues(values), tensor) ?? error;
}

/** Found on the way; how exactly it is nested is measured afterwards. */
const misnested = fail('SHAPE_MISMATCH', 'The data is not nested as its shape says.');

function visitRows(values: Values, shape: readonly number[], sink: RowSink): WireError | undefined {
  const sizes = listSizes(openingArrays(values), shape);
  if (sizes === undefined) return misnested;
  return visitNested(values, { sizes, axis: 0, start: 0, count: elementCount(shape) }, sink);
}

/** How many arrays begin before the first element: what opening brackets are in text. */
function openingArrays(values: Values): number {
  let count = 1;
  for (let first: unknown = values[0]; Array.isArray(first); first = first[0]) count++;
  return count;
}

interface Part {
  /** Lengths of the arrays, from the outermost in. */
  readonly sizes: readonly number[];
  readonly axis: number;
  /** The first element and the number of elements that stand below this array. */
  readonly start: number;
  readonly count: number;
}

function visitNested(values: Values, part: Part, sink: RowSink): WireError | undefined {
  const { sizes, axis, start, count } = part;
  if (values.length !== sizes[axis]) return misnested;
  if (axis === sizes.length - 1) return sink(values, start);
  const step = count / values.length;
  for (let index = 0; index < values.length; index++) {
    const inner: unknown = values[index];
    if (!Array.isArray(inner)) return misnested;
    const innerPart = { sizes, axis: axis + 1, start: start + index * step, count: step };
    const error = visitNested(inner, innerPart, sink);
    if (error !== undefined) return error;
  }
  return undefined;
}

function rowSinkFor(tensor: TensorHead, target: NumericArray): RowSink {
  const { datatype } = tensor;
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    assert(datatype === 'INT64' || datatype === 'UINT64', 'the target has the datatype of the tensor');
    return (row, start) => writeBigIntegers(row, start, { tensor, target, range: integerRange[datatype] });
  }
  switch (datatype) {
    case 'BOOL':
      return (row, start) => writeBooleans(row, start, tensor, target);
    case 'FP16':
      return (row, start) => writeHalves(row, start, tensor, target);
    case 'FP32':
      return (row, start) => writeSingles(row, start, tensor, target);
    case 'FP64':
      return (row, start) => writeDoubles(row, start, tensor, target);
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'INT8':
    case 'INT16':
    case 'INT32':
      return (row, start) => writeIntegers(row, start, { tensor, target, range: integerRange[datatype] });
    case 'UINT64':
    case 'INT64':
    case 'BYTES':
      throw new TypeError(`a target of ${datatype} does not hold numbers`);
  }
}

interface IntegerPlace<Target> {
  readonly tensor: TensorHead;
  readonly target: Target;
  readonly range: IntegerRange;
}

function writeIntegers(row: Values, start: number, place: IntegerPlace<NumberArray>): WireError | undefined {
  const [min, beyond] = place.range;
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    // Small numbers come as bigint from encoders that write every integer with 64 bits.
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number) || number < min || number >= beyond) {
      return unfit(place.tensor, start + index, value);
    }
    place.target[start + index] = number;
  }
  return undefined;
}

function writeBigIntegers(row: Values, start: number, place: IntegerPlace<BigArray>): WireError | undefined {
  const [min, beyond] = place.range;
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    const whole = typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
    if (!whole || value < min || value >= beyond) return unfit(place.tensor, start + index, value);
    place.target[start + index] = BigInt(value);
  }
  return undefined;
}

function writeDoubles(
  row: Values,
  start: number,
  tensor: TensorHead,
  target: NumberArray,
): WireError | undefined {
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    if (typeof value !== 'number' && typeof value !== 'bigint') return unfit(tensor, start + index, value);
    target[start + index] = Number(value);
  }
  return undefined;
}

function writeSingles(
  row: Values,
  start: number,
  tensor: TensorHead,
  target: NumberArray,
): WireError | undefined {
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    if (typeof value !== 'number' && typeof value !== 'bigint') return unfit(tensor, start + index, value);
    const number = Number(value);
    if (Number.isFinite(number) && !Number.isFinite(Math.fround(number)))
      return unfit(tensor, start + index, value);
    target[start + index] = number;
  }
  return undefined;
}

function writeHalves(
  row: Values,
  start: number,
  tensor: TensorHead,
  target: NumberArray,
): WireError | undefined {
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    if (typeof value !== 'number' && typeof value !== 'bigint') return unfit(tensor, start + index, value);
    const number = Number(value);
    const bits = numberToHalf(number);
    if (Number.isFinite(number) && (bits & 0x7fff) === 0x7c00) return unfit(tensor, start + index, value);
    target[start + index] = bits;
  }
  return undefined;
}

function writeBooleans(
  row: Values,
  start: number,
  tensor: TensorHead,
  target: NumberArray,
): WireError | undefined {
  for (let index = 0; index < row.length; index++) {
    const value = row[index];
    if (value !== true && value !== false && value !== 0 && value !== 1)
      return unfit(tensor, start + index, value);
    target[start + index] = Number(value);
  }
  return undefined;
}

function textOf(value: unknown): string | undefined {
  const text = value instanceof Uint8Array ? readText(value, 0, value.length) : value;
  return typeof text === 'string' && isElementText(text) ? text : undefined;
}

function unfit(tensor: TensorHead, element: number, value: unknown): WireError {
  const { name, datatype } = tensor;
  return fail(
    'INVALID_ELEMENT',
    `Element ${element} of input ${quoted(name)} is ${described(value)}; ${datatype} takes ${wanted(datatype)}.`,
  );
}

function described(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value === null) return 'nil';
  if (typeof value === 'string') return 'a string';
  if (Array.isArray(value)) return 'an array';
  return value instanceof Uint8Array ? 'binary data that does not fit' : 'a map';
}

function wanted(datatype: Datatype): string {
  switch (datatype) {
    case 'BOOL':
      return 'true and false';
    case 'FP16':
    case 'FP32':
    case 'FP64':
      return 'numbers in its range';
    case 'BYTES':
      return 'strings without NUL and lone surrogates';
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'UINT64':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'INT64': {
      // Doubles of this size are exact, but are not printed so.
      const [min, beyond] = integerRange[datatype];
      return `whole numbers from ${String(BigInt(min))} to ${String(BigInt(beyond) - 1n)}`;
    }
  }
}
