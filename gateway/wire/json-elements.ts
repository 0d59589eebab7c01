/**
 * The elements of a tensor from the JSON text of its `data`, straight into the place where the batch will run.
 * It judges values and counts; whether the model takes such a tensor is not its business.
 * Numbers mean what JSON.parse says they mean, except that 64-bit integers are exact to the last digit.
 * Invariant: nothing outside the span is read, and nothing outside the target is written.
 */
import assert from 'node:assert';
import { elementBytes, type Datatype, type NumericArray } from '../../runtime/tensor/dtype.ts';
import { numberToHalf } from '../../runtime/tensor/half-float.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import { exactInteger } from './exact-integer.ts';
import { integerRange, type IntegerRange } from './integer-range.ts';
import { expect, walkLists, type ElementPlace, type ReadList } from './json-list.ts';
import { measureNesting, type JsonSpan } from './json-nesting.ts';
import { readNumbers } from './json-number.ts';
import { asciiText, unescapedText } from './json-string.ts';
import {
  byteAt,
  comma,
  endOfNumber,
  endOfString,
  endOfWord,
  isDigit,
  minus,
  skipWhitespace,
  zero,
} from './json-token.ts';
import { nestingError } from './nesting.ts';
import type { TensorHead } from './packed-elements.ts';
import { isElementText, quoted } from './strict-text.ts';

type BigArray = BigInt64Array | BigUint64Array;
type NumberArray = Exclude<NumericArray, BigArray>;
type NumberDatatype = Exclude<Datatype, 'INT64' | 'UINT64' | 'BYTES'>;

/** Stores `count` numbers of the scratch array from `start` on; returns how many of them fitted the datatype. */
type Store = (target: NumberArray, start: number, count: number) => number;

/**
 * Numbers on their way from the one parsing loop to the loops that check a datatype: each loop stays free of the
 * other's branches. Small enough for the nearest cache; empty between calls as far as anyone can tell.
 */
const scratch = new Float64Array(512);

const readers: Readonly<Record<NumberDatatype, ReadList<NumberArray>>> = {
  BOOL: readBooleans,
  UINT8: inChunks(integers(integerRange.UINT8)),
  UINT16: inChunks(integers(integerRange.UINT16)),
  UINT32: inChunks(integers(integerRange.UINT32)),
  INT8: inChunks(integers(integerRange.INT8)),
  INT16: inChunks(integers(integerRange.INT16)),
  INT32: inChunks(integers(integerRange.INT32)),
  FP16: inChunks(storeHalves),
  FP32: inChunks(storeSingles),
  FP64: inChunks(storeDoubles),
};

/**
 * Writes the elements of a JSON array into `target`: the array type of the datatype, with exactly the elements of the
 * shape (row-major). The array may be flat, nested as the shape says, or a list of flat rows. The target stays the
 * caller's; after an error its content is undefined. Not for BYTES.
 *
 * Integers: any number with an integral value within the range, so 1.0 and 1e3 too. FP16, FP32, FP64: any number that
 * does not overflow, rounded to nearest even, and "NaN", "Infinity", "-Infinity" as strings. BOOL: true, false, 1, 0.
 * Codes: ELEMENT_COUNT_MISMATCH, SHAPE_MISMATCH, INVALID_ELEMENT, MALFORMED_JSON.
 */
export function writeJsonElements(
  source: JsonSpan,
  tensor: TensorHead,
  target: NumericArray,
): WireError | undefined {
  const { datatype, shape } = tensor;
  assert(
    target.length === elementCount(shape) && target.BYTES_PER_ELEMENT === elementBytes(datatype),
    'the target holds the elements of the shape',
  );
  const { text, start, end } = source;
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) {
    const place = { text, end, at: start, done: 0, target };
    return walkLists(place, shape, readBigIntegers) ? undefined : explain(source, tensor, place.done);
  }
  assert(datatype !== 'INT64' && datatype !== 'UINT64' && datatype !== 'BYTES');
  const place = { text, end, at: start, done: 0, target };
  return walkLists(place, shape, readers[datatype]) ? undefined : explain(source, tensor, place.done);
}

/** The elements of a BYTES tensor, row-major: JSON strings, flat, nested or in flat rows. Same codes. */
export function readJsonStrings(source: JsonSpan, tensor: TensorHead): Result<string[]> {
  const target: string[] = [];
  const place = { text: source.text, end: source.end, at: source.start, done: 0, target };
  return walkLists(place, tensor.shape, readStrings) ? succeed(target) : explain(source, tensor, place.done);
}

function inChunks(store: Store): ReadList<NumberArray> {
  return (place, count) => {
    for (let left = count; ;) {
      const wanted = Math.min(left, scratch.length);
      const stored = store(place.target, place.done, readNumbers(place, wanted, scratch));
      place.done += stored;
      if (stored < wanted) return false;
      left -= wanted;
      if (left === 0) return true;
      if (!expect(place, comma)) return false;
    }
  };
}

function storeSingles(target: NumberArray, start: number, count: number): number {
  for (let index = 0; index < count; index++) {
    const value = scratch[index] ?? 0;
    const single = Math.fround(value);
    if (!Number.isFinite(single) && Number.isFinite(value)) return index;
    target[start + index] = single;
  }
  return count;
}

function storeDoubles(target: NumberArray, start: number, count: number): number {
  for (let index = 0; index < count; index++) target[start + index] = scratch[index] ?? 0;
  return count;
}

function storeHalves(target: NumberArray, start: number, count: number): number {
  for (let index = 0; index < count; index++) {
    const value = scratch[index] ?? 0;
    const bits = numberToHalf(value);
    if ((bits & 0x7fff) === 0x7c00 && Number.isFinite(value)) return index;
    target[start + index] = bits;
  }
  return count;
}

function integers([min, beyond]: IntegerRange): Store {
  return (target, start, count) => {
    for (let index = 0; index < count; index++) {
      const value = scratch[index] ?? 0;
      if (!(value >= min && value < beyond) || Math.floor(value) !== value) return index;
      target[start + index] = value;
    }
    return count;
  };
}

/** Integers of up to this many digits are exact as doubles. */
const doubleDigitsMax = 15;

function readBigIntegers(place: ElementPlace<BigArray>, count: number): boolean {
  const { text, end, target } = place;
  const signed = target instanceof BigInt64Array;
  const stop = place.done + count;
  for (;;) {
    const start = skipWhitespace(text, place.at, end);
    const negative = byteAt(text, start, end) === minus;
    let at = negative ? start + 1 : start;
    const digitsStart = at;
    let value = 0;
    for (let byte = byteAt(text, at, end); isDigit(byte); byte = byteAt(text, ++at, end)) {
      value = value * 10 + (byte - zero);
    }
    const plain = at > digitsStart && at <= digitsStart + doubleDigitsMax && !continuesNumber(text, at, end);
    if (plain && (byteAt(text, digitsStart, end) !== zero || at === digitsStart + 1)) {
      if (negative && !signed && value !== 0) return false;
      target[place.done] = BigInt(negative ? -value : value);
    } else {
      at = endOfNumber(text, start, end);
      if (at < 0) return false;
      const exact = exactInteger(asciiText(text, start, at));
      if (exact === undefined || exact !== (signed ? BigInt.asIntN(64, exact) : BigInt.asUintN(64, exact)))
        return false;
      target[place.done] = exact;
    }
    place.at = at;
    place.done++;
    if (place.done === stop) return true;
    if (!expect(place, comma)) return false;
  }
}

/** Whether a fraction or an exponent follows. */
function continuesNumber(text: Uint8Array, at: number, end: number): boolean {
  const byte = byteAt(text, at, end);
  return byte === 0x2e || (byte | 0x20) === 0x65;
}

function readBooleans(place: ElementPlace<NumberArray>, count: number): boolean {
  const { text, end, target } = place;
  const stop = place.done + count;
  for (;;) {
    const at = skipWhitespace(text, place.at, end);
    const behindTrue = endOfWord(text, 'true', at, end);
    const behindFalse = endOfWord(text, 'false', at, end);
    if (behindTrue > 0 || behindFalse > 0) {
      target[place.done] = behindTrue > 0 ? 1 : 0;
      place.at = Math.max(behindTrue, behindFalse);
    } else {
      place.at = at;
      const value = readNumbers(place, 1, scratch) === 1 ? scratch[0] : undefined;
      if (value !== 0 && value !== 1) return false;
      target[place.done] = value;
    }
    place.done++;
    if (place.done === stop) return true;
    if (!expect(place, comma)) return false;
  }
}

function readStrings(place: ElementPlace<string[]>, count: number): boolean {
  const { text, end, target } = place;
  const stop = place.done + count;
  for (;;) {
    const start = skipWhitespace(text, place.at, end);
    const at = endOfString(text, start, end);
    if (at < 0) return false;
    const value = unescapedText(text, start + 1, at - 1);
    if (!isElementText(value)) return false;
    target.push(value);
    place.at = at;
    place.done++;
    if (place.done === stop) return true;
    if (!expect(place, comma)) return false;
  }
}

/** An element that does not fit is shown in the message up to this length. */
const shownBytesMax = 32;

/** What is wrong with data that did not fit, where reading stopped at element `failed`. */
function explain(source: JsonSpan, tensor: TensorHead, failed: number): WireError {
  const { datatype } = tensor;
  const input = `input ${quoted(tensor.name)}`;
  const nesting = measureNesting(source, failed);
  if (nesting === undefined) return fail('MALFORMED_JSON', `The data of ${input} is not a JSON array.`);
  const misnested = nestingError(nesting, tensor);
  if (misnested !== undefined) return misnested;
  const shown = shownText(source.text, nesting.element);
  return fail(
    'INVALID_ELEMENT',
    `Element ${failed} of ${input} is ${shown}; ${datatype} takes ${takes(datatype)}.`,
  );
}

function shownText(text: Uint8Array, span: { readonly start: number; readonly end: number }): string {
  const end = Math.min(span.end, span.start + shownBytesMax);
  const shown = Buffer.from(text.subarray(span.start, end)).toString();
  return end < span.end ? `${shown}...` : shown;
}

function takes(datatype: Datatype): string {
  switch (datatype) {
    case 'BOOL':
      return 'true and false';
    case 'BYTES':
      return 'strings without NUL and lone surrogates';
    case 'FP16':
    case 'FP32':
    case 'FP64':
      return 'numbers in its range and "NaN", "Infinity", "-Infinity"';
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'UINT64':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'INT64':
      return 'whole numbers in its range';
  }
}
