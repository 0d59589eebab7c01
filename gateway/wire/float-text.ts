/**
 * Floating point numbers as the shortest decimal text that reads back as the same value, written as JavaScript would
 * write those digits. float32 and float16 are shortest for their own precision: 0.1, not 0.10000000149011612.
 * JSON has no NaN and no infinities; they are written as the strings "NaN", "Infinity" and "-Infinity", as the JSON
 * mapping of Protocol Buffers does.
 * Invariant: text that a reader parses as a double and narrows gives back every bit, the sign of zero included.
 */
import { halfToNumber, numberToHalf } from '../../runtime/tensor/half-float.ts';
import { decimalDigits, type ByteWriter } from './byte-writer.ts';

const minus = 0x2d;
const dot = 0x2e;

/** A float32 never needs more digits than this to be told from its neighbours, a float16 never more than 5. */
const singleDigitsMax = 9;
const powerMax = 64;
const powersOfTen = Float64Array.from({ length: powerMax + 1 }, (_, power) => Number(`1e${power}`));

/** From here up, digits in front of the point may be beyond a float32's precision, so fewer of them may do. */
const plainBelow = 2 ** 24;
/**
 * For float32 values from here up, the scaling by up to 10^12 below is exact: 24 bits of value and 28 bits of 5^12
 * fit the 53 of a double.
 */
const plainFrom = 1e-4;
const plainDecimalsMax = 12;

/** Bound on the relative error of the three roundings in a computed candidate. */
const candidateError = 2 ** -50;

/** Writes `value` rounded to float32. */
export function writeFloat32(writer: ByteWriter, value: number): void {
  const single = Math.fround(value);
  const magnitude = Math.abs(single);
  if (!(magnitude >= plainFrom && magnitude < plainBelow)) {
    writeUnusualFloat32(writer, single);
    return;
  }
  if (single < 0) writer.u8(minus);
  // What has enough decimals to give the value back still does with one more, so the fewest are found by halving. (That
  // could fail for powers of two, whose neighbours are unevenly far; the tests try all of them.)
  let fewest = 0;
  for (let enough = plainDecimalsMax; fewest < enough;) {
    const middle = (fewest + enough) >> 1;
    const scale = powersOfTen[middle] ?? 1;
    if (Math.fround(Math.round(magnitude * scale) / scale) === magnitude) enough = middle;
    else fewest = middle + 1;
  }
  writeFixed(writer, Math.round(magnitude * (powersOfTen[fewest] ?? 1)), fewest);
}

/** Zero, the very small and large, and what is no number. */
function writeUnusualFloat32(writer: ByteWriter, single: number): void {
  if (!writeSignOf(writer, single)) return;
  const magnitude = Math.abs(single);
  if (isPowerOfTwo(magnitude)) {
    writer.ascii(shortestBySearch(magnitude));
    return;
  }
  const exponent = Math.floor(Math.log10(magnitude));
  // Halving as above, over the number of digits; from 0, since a value can round up to the next power of ten.
  let fewest = 0;
  for (let enough = singleDigitsMax; fewest < enough;) {
    const middle = (fewest + enough) >> 1;
    const decimals = middle - 1 - exponent;
    const candidate = scaled(Math.round(scaled(magnitude, decimals)), -decimals);
    const low = Math.fround(candidate * (1 - candidateError)) === magnitude;
    const high = Math.fround(candidate * (1 + candidateError)) === magnitude;
    if (low !== high) {
      // Too close to the edge of what rounds to the value for arithmetic with roundings to say.
      writer.ascii(shortestBySearch(magnitude));
      return;
    }
    if (low) enough = middle;
    else fewest = middle + 1;
  }
  const decimals = fewest - 1 - exponent;
  writeScaled(writer, Math.round(scaled(magnitude, decimals)), decimals);
}

/** By the engine's own exact conversions; several times slower. */
function shortestBySearch(magnitude: number): string {
  for (let count = 1; count < singleDigitsMax; count++) {
    const nearest = Number(magnitude.toPrecision(count));
    if (Math.fround(nearest) === magnitude) return String(nearest);
    // The float32 below a power of two is only half as far as the one above, so the decimal above it may do, although
    // the nearest, below it, does not.
    const step = Number(`1e${Math.floor(Math.log10(magnitude)) + 1 - count}`);
    const above = Number((nearest + step).toPrecision(count));
    if (Math.fround(above) === magnitude) return String(above);
  }
  return String(Number(magnitude.toPrecision(singleDigitsMax)));
}

const singleOf = new Float32Array(1);
const bitsOf = new Uint32Array(singleOf.buffer);

/** Of a positive, finite float32: one whose fraction is all zeros, or, below the normal range, has a single bit. */
function isPowerOfTwo(magnitude: number): boolean {
  singleOf[0] = magnitude;
  const bits = bitsOf[0] ?? 0;
  const fraction = bits & 0x7fffff;
  return fraction === 0 || (bits < 0x800000 && (fraction & (fraction - 1)) === 0);
}

/** Writes a double; the engine's text of a number is the shortest already. */
export function writeFloat64(writer: ByteWriter, value: number): void {
  if (Number.isFinite(value) && value !== 0) writer.ascii(String(value));
  else writeSignOf(writer, value);
}

/** Writes the float16 with this bit pattern. */
export function writeFloat16(writer: ByteWriter, bits: number): void {
  const value = halfToNumber(bits);
  if (!writeSignOf(writer, value)) return;
  const magnitude = Math.abs(value);
  const wanted = bits & 0x7fff;
  // The largest half is 65504, the smallest 6e-8; all scales are exact powers of ten, so every candidate is exact.
  for (let decimals = -4; ; decimals++) {
    const digits = Math.round(scaled(magnitude, decimals));
    if (numberToHalf(scaled(digits, -decimals)) === wanted) {
      writeScaled(writer, digits, decimals);
      return;
    }
  }
}

/** Writes the minus sign if there is one, or all of a zero or non-finite value; true if digits are still to come. */
function writeSignOf(writer: ByteWriter, value: number): boolean {
  if (Number.isNaN(value)) writer.ascii('"NaN"');
  else if (value === Infinity) writer.ascii('"Infinity"');
  else if (value === -Infinity) writer.ascii('"-Infinity"');
  else if (value === 0) writer.ascii(Object.is(value, -0) ? '-0' : '0');
  else {
    if (value < 0) writer.u8(minus);
    return true;
  }
  return false;
}

/** `value` times ten to the power of `power`; exact powers up to 22. */
function scaled(value: number, power: number): number {
  return power >= 0 ? value * (powersOfTen[power] ?? Infinity) : value / (powersOfTen[-power] ?? Infinity);
}

/** Writes the positive integer `digits` times 10^-decimals, in the notation JavaScript uses for a number that large. */
function writeScaled(writer: ByteWriter, digits: number, decimals: number): void {
  const count = decimalDigits(digits);
  const pointAt = count - decimals;
  if (pointAt > 21 || pointAt <= -6) {
    writeExponential(writer, digits, pointAt - 1);
  } else if (decimals > 0) {
    writeFixed(writer, digits, decimals);
  } else {
    writer.integer(digits);
    for (let zeros = decimals; zeros < 0; zeros++) writer.u8(0x30);
  }
}

function writeFixed(writer: ByteWriter, digits: number, decimals: number): void {
  if (decimals === 0) {
    writer.integer(digits);
    return;
  }
  const scale = powersOfTen[decimals] ?? 1;
  if (digits < scale) {
    writer.ascii('0.');
    writer.paddedInteger(digits, decimals);
    return;
  }
  const whole = Math.floor(digits / scale);
  writer.integer(whole);
  writer.u8(dot);
  writer.paddedInteger(digits - whole * scale, decimals);
}

function writeExponential(writer: ByteWriter, digits: number, exponent: number): void {
  const decimals = decimalDigits(digits) - 1;
  writeFixed(writer, digits, decimals);
  writer.ascii(exponent < 0 ? 'e-' : 'e+');
  writer.integer(Math.abs(exponent));
}
