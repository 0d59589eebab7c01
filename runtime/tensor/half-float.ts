/**
 * IEEE 754 binary16 bit patterns to numbers and back, rounding to nearest, ties to even.
 * JavaScript has no float16 array everywhere we run, so FP16 tensors travel as their bit patterns.
 * Every half is exact as a number; only the way back rounds, once, straight from the 64-bit value.
 */

const signBit = 0x8000;
const infinityBits = 0x7c00;
const nanBits = 0x7e00;
const fractionBits = 0x3ff;

/** Halfway between the largest half, 65504, and the next power of two: from here on rounding gives infinity. */
const overflowsFrom = 65520;
const smallestNormal = 2 ** -14;
/** Adding and subtracting this rounds a non-negative double below it to an integer, ties to even. */
const roundingBias = 2 ** 52;

/** The value of a bit pattern; every NaN pattern gives NaN. Bits above the lowest 16 are ignored. */
export function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & fractionBits;
  const sign = (bits & signBit) === 0 ? 1 : -1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (fraction + 0x400) * 2 ** (exponent - 25);
}

/** The nearest half's bit pattern; beyond 65504 by half a step or more it is infinity. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return nanBits;
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? signBit : 0;
  if (magnitude >= overflowsFrom) return sign | infinityBits;
  if (magnitude < smallestNormal) return sign | roundToEven(magnitude * 2 ** 24);
  // The integer part of magnitude * 2^14 is at least 1 and below 2^30, so its leading bit is the exponent.
  const biasedBy14 = 31 - Math.clz32(magnitude * 2 ** 14);
  const significand = roundToEven(magnitude * 2 ** (24 - biasedBy14));
  // A significand that rounds up to 2048 carries into the exponent, as it must.
  return sign | ((biasedBy14 << 10) + significand);
}

function roundToEven(value: number): number {
  return value + roundingBias - roundingBias;
}
