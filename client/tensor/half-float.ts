/** IEEE 754 half precision (FP16) as numbers and as the 16 bits that travel; rounding is to nearest, ties to even. */

/** The number that a bit pattern stands for. Exact. */
export function halfToNumber(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The bit pattern nearest to `value`; from 65,520 on that is infinity. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65_520) return sign | 0x7c00;
  // Below 2^-14 all steps are 2^-24 wide. A mantissa rounded up to 1024 is the next exponent, as it should be.
  if (size < 2 ** -14) return sign | roundedToEven(size * 2 ** 24);
  const exponent = floorLog2(size);
  return sign | (((exponent + 15) << 10) + roundedToEven((size / 2 ** exponent - 1) * 1024));
}

/** Math.log2 may be off by one next to a power of two. */
function floorLog2(size: number): number {
  const guess = Math.floor(Math.log2(size));
  if (2 ** guess > size) return guess - 1;
  return 2 ** (guess + 1) <= size ? guess + 1 : guess;
}

function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
