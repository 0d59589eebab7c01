/**
 * Decimal numbers of 16 to 18 digits to doubles: what every program prints that prints a double in full. Such digits
 * do not fit a double, so the quotient is computed in two doubles and handed out only if its rounding is beyond
 * doubt; the engine's own conversion, several times slower, decides the rest.
 * Invariant: an answer is the double nearest to the decimal, ties to even, as JSON.parse gives it.
 * Sources: Dekker, "A floating-point technique for extending the available precision" (1971), for the exact product.
 */
import { dot, zero } from './json-token.ts';

/** The digits are taken in two groups that are exact as doubles, and so is the larger group times 10^8. */
const lowDigits = 8;
const lowScale = 1e8;
const highBelow = 1e10;
/** Splits a double into two halves of 26 bits whose products are exact. */
const splitter = 2 ** 27 + 1;
/** Bound, with much room, on the relative error of the correction. */
const correctionError = 2 ** -40;

/**
 * The value of the digits in the span divided by `scale`, a power of ten of at most 10^22. The span is a well-formed
 * JSON number without sign; its point and its exponent are passed over, for the scale has them already. NaN where the
 * rounding is in doubt or the digits are too few or too many.
 */
export function divideLongDecimal(
  text: Uint8Array,
  span: { readonly start: number; readonly end: number },
  scale: number,
): number {
  const digitsEnd = endOfDigits(text, span.start, span.end);
  const lowStart = startOfLow(text, span.start, digitsEnd);
  const high = digitsValue(text, span.start, lowStart);
  const low = digitsValue(text, lowStart, digitsEnd);
  if (!(high >= 1 && high < highBelow)) return NaN;
  const most = high * lowScale;
  const sum = most + low;
  const sumError = low - (sum - most);
  const quotient = sum / scale;
  const product = quotient * scale;
  // What is left of the sum behind the quotient: exact up to the last addition, because product and sum are close.
  const rest = sum - product - productError(quotient, scale, product) + sumError;
  const correction = rest / scale;
  const nearest = quotient + correction;
  const slack = Math.abs(correction) * correctionError;
  return quotient + (correction - slack) === nearest && quotient + (correction + slack) === nearest
    ? nearest
    : NaN;
}

/** Where the exponent starts, or the end. */
function endOfDigits(text: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && ((text[at] ?? 0) | 0x20) !== 0x65) at++;
  return at;
}

/** Where the last eight digits start. */
function startOfLow(text: Uint8Array, start: number, end: number): number {
  let at = end;
  for (let left = lowDigits; left > 0 && at > start; at--) if (text[at - 1] !== dot) left--;
  return at;
}

/** The digits as one integer, whatever is between them; inexact beyond 15 of them. */
function digitsValue(text: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = text[at] ?? 0;
    if (byte !== dot) value = value * 10 + (byte - zero);
  }
  return value;
}

/** `left * right - product` exactly, where `product` is their rounded product. */
function productError(left: number, right: number, product: number): number {
  const leftSpread = left * splitter;
  const leftHigh = leftSpread - (leftSpread - left);
  const leftLow = left - leftHigh;
  const rightSpread = right * splitter;
  const rightHigh = rightSpread - (rightSpread - right);
  const rightLow = right - rightHigh;
  return leftHigh * rightHigh - product + leftHigh * rightLow + leftLow * rightHigh + leftLow * rightLow;
}
