/**
 * The hottest loop of the gateway: a run of JSON numbers to doubles, without objects or strings.
 * It knows no datatype and no brackets. A number with at most 53 bits of digits and a small exponent is one exact
 * multiplication or division (Clinger, "How to read floating point numbers accurately", 1990); a few digits more are
 * for long-decimal.ts, and any other is left to the engine. Invariant: every number gets the double that JSON.parse gives it.
 */
import { asciiText } from './json-string.ts';
import { divideLongDecimal } from './long-decimal.ts';
import { byteAt, comma, dot, endOfNumber, endOfWord, minus, quote, zero } from './json-token.ts';

/** A place in the text that a loop moves forward. Nothing at or behind `end` is ever read. */
export interface TextPlace {
  readonly text: Uint8Array;
  readonly end: number;
  at: number;
}

/** Below this every integer is exact, so digits that add up to less were added up without rounding. */
const exactBelow = 2 ** 53;
/** 10^22 is the largest power of ten that is exact as a double. */
const exactPowerMax = 22;
const powersOfTen = Float64Array.from({ length: exactPowerMax + 1 }, (_, power) => Number(`1e${power}`));

/**
 * Reads up to `count` numbers separated by commas, starting at the first one, into `values` and returns how many it
 * read. When it read them all, the place is right behind the last one; otherwise it is at the element that is not a
 * number, or that is too large for a double. The strings "NaN", "Infinity" and "-Infinity" count as numbers, as in the
 * JSON mapping of Protocol Buffers.
 */
export function readNumbers(place: TextPlace, count: number, values: Float64Array): number {
  const { text, end } = place;
  let at = place.at;
  for (let index = 0; index < count; index++) {
    let byte = byteAt(text, at, end);
    while (byte <= 0x20 && isSpace(byte)) byte = byteAt(text, ++at, end);
    const start = at;
    place.at = start;
    if (byte === minus) byte = byteAt(text, ++at, end);

    const integerStart = at;
    let digits = 0;
    let value = 0;
    for (let digit = byte - zero; digit >= 0 && digit <= 9; digit = byte - zero) {
      digits = digits * 10 + digit;
      byte = byteAt(text, ++at, end);
    }
    if (at === integerStart) {
      if (byte !== quote || at !== start) return index;
      at = endOfNonFinite(place);
      if (at < 0) return index;
      value = nonFiniteOf(text, start);
    } else {
      if (text[integerStart] === zero && at !== integerStart + 1) return index;
      let scale = 0;
      if (byte === dot) {
        byte = byteAt(text, ++at, end);
        const fractionStart = at;
        for (let digit = byte - zero; digit >= 0 && digit <= 9; digit = byte - zero) {
          digits = digits * 10 + digit;
          byte = byteAt(text, ++at, end);
        }
        if (at === fractionStart) return index;
        scale = at - fractionStart;
      }
      if ((byte | 0x20) === 0x65) {
        const exponentStart = at + 1;
        at = endOfNumber(text, start, end);
        if (at < 0) return index;
        scale -= smallExponent(text, exponentStart, at);
      }
      if (digits < exactBelow && scale >= 0 && scale <= exactPowerMax) {
        value = digits / (powersOfTen[scale] ?? 1);
      } else if (digits < exactBelow && scale < 0 && scale >= -exactPowerMax) {
        value = digits * (powersOfTen[-scale] ?? 1);
      } else {
        value = longNumber(text, { start: integerStart, end: at }, scale);
        if (value === Infinity) return index;
      }
      if (start !== integerStart) value = -value;
    }
    values[index] = value;

    if (index === count - 1) break;
    byte = byteAt(text, at, end);
    while (byte <= 0x20 && isSpace(byte)) byte = byteAt(text, ++at, end);
    if (byte !== comma) {
      place.at = at;
      return index + 1;
    }
    at++;
  }
  place.at = at;
  return count;
}

/** The well-formed number without sign in the span, whose digits stand for a whole number times 10^-scale. */
function longNumber(
  text: Uint8Array,
  span: { readonly start: number; readonly end: number },
  scale: number,
): number {
  const { start, end } = span;
  if (scale >= 0 && scale <= exactPowerMax) {
    const value = divideLongDecimal(text, span, powersOfTen[scale] ?? 1);
    if (!Number.isNaN(value)) return value;
  }
  return Number(asciiText(text, start, end));
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Value of a well-formed exponent of few digits; for a longer one anything beyond the exact powers. */
function smallExponent(text: Uint8Array, start: number, end: number): number {
  const signed = (text[start] ?? 0) < zero;
  const digitsStart = signed ? start + 1 : start;
  if (end - digitsStart > 4) return Infinity;
  let value = 0;
  for (let at = digitsStart; at < end; at++) value = value * 10 + (text[at] ?? 0) - zero;
  return text[start] === minus ? -value : value;
}

function endOfNonFinite(place: TextPlace): number {
  const { text, at, end } = place;
  return Math.max(
    endOfWord(text, '"NaN"', at, end),
    endOfWord(text, '"Infinity"', at, end),
    endOfWord(text, '"-Infinity"', at, end),
  );
}

/** By its first letter, once `endOfNonFinite` has accepted it. */
function nonFiniteOf(text: Uint8Array, at: number): number {
  if (text[at + 1] === minus) return -Infinity;
  return text[at + 1] === 0x4e ? NaN : Infinity;
}
