/**
 * IEEE 754 half precision, which this version of Node has no type for. Exact for every value that a half can hold; what it
 * cannot hold is cut off towards zero, since the suite sends only values that it can.
 */

const fractionBits = 10;
const exponentBias = 15;
const exponentMax = 31;

export function halfBits(value: number): number {
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 2 ** (exponentMax - exponentBias)) return sign | (exponentMax << fractionBits);
  // Below the smallest normal number the exponent stays and the leading one is written out.
  const exponent = Math.max(size === 0 ? -exponentBias : Math.floor(Math.log2(size)), 1 - exponentBias);
  const fraction = Math.floor((size / 2 ** exponent) * 2 ** fractionBits);
  const isNormal = fraction >= 2 ** fractionBits;
  return (
    sign | ((isNormal ? exponent + exponentBias : 0) << fractionBits) | (fraction & (2 ** fractionBits - 1))
  );
}

export function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> fractionBits) & exponentMax;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === exponentMax) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - exponentBias);
  return sign * (1 + fraction) * 2 ** (exponent - exponentBias);
}
