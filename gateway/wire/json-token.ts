/**
 * Where the tokens and values of JSON end: strict leaf functions over bytes, after RFC 8259. They give positions, not
 * values, and allocate nothing. An `endOf...` function answers with the position behind its token, or with the
 * complement `~position` of the byte that does not fit, which is negative.
 * Invariant: no function reads outside `[at, end)`.
 */

export const quote = 0x22;
export const comma = 0x2c;
export const minus = 0x2d;
export const dot = 0x2e;
export const zero = 0x30;
export const colon = 0x3a;
export const openBracket = 0x5b;
export const backslash = 0x5c;
export const closeBracket = 0x5d;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;

/** Answer of `endOfValue` for arrays and objects nested deeper than it may go. */
export const tooDeep = -0x80000000;

/** The byte at a position, or 0 at the end; no JSON token contains a 0 byte, so it ends every loop. */
export function byteAt(text: Uint8Array, at: number, end: number): number {
  return at < end ? (text[at] ?? 0) : 0;
}

export function isDigit(byte: number): boolean {
  return byte >= zero && byte <= 0x39;
}

export function isWhitespace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export function skipWhitespace(text: Uint8Array, at: number, end: number): number {
  while (isWhitespace(byteAt(text, at, end))) at++;
  return at;
}

/**
 * Position behind the value that starts at `at`, without white space in front; arrays and objects may be nested
 * `depth` deep in it.
 */
export function endOfValue(text: Uint8Array, at: number, end: number, depth: number): number {
  const byte = byteAt(text, at, end);
  if (byte === minus || isDigit(byte)) return endOfNumber(text, at, end);
  if (byte === quote) return endOfString(text, at, end);
  if (byte === openBracket) return endOfArray(text, at, end, depth);
  if (byte === openBrace) return endOfObject(text, at, end, depth);
  return endOfLiteral(text, at, end);
}

function endOfArray(text: Uint8Array, at: number, end: number, depth: number): number {
  if (depth === 0) return tooDeep;
  at = skipWhitespace(text, at + 1, end);
  if (byteAt(text, at, end) === closeBracket) return at + 1;
  for (;;) {
    // Tensors are long runs of numbers: one call less for each.
    const byte = byteAt(text, at, end);
    at = isDigit(byte) ? endOfNumber(text, at, end) : endOfValue(text, at, end, depth - 1);
    if (at < 0) return at;
    at = skipWhitespace(text, at, end);
    const separator = byteAt(text, at, end);
    if (separator === closeBracket) return at + 1;
    if (separator !== comma) return ~at;
    at = skipWhitespace(text, at + 1, end);
  }
}

function endOfObject(text: Uint8Array, at: number, end: number, depth: number): number {
  if (depth === 0) return tooDeep;
  at = skipWhitespace(text, at + 1, end);
  if (byteAt(text, at, end) === closeBrace) return at + 1;
  for (;;) {
    at = endOfString(text, at, end);
    if (at < 0) return at;
    at = skipWhitespace(text, at, end);
    if (byteAt(text, at, end) !== colon) return ~at;
    at = endOfValue(text, skipWhitespace(text, at + 1, end), end, depth - 1);
    if (at < 0) return at;
    at = skipWhitespace(text, at, end);
    const separator = byteAt(text, at, end);
    if (separator === closeBrace) return at + 1;
    if (separator !== comma) return ~at;
    at = skipWhitespace(text, at + 1, end);
  }
}

export function endOfNumber(text: Uint8Array, at: number, end: number): number {
  let byte = byteAt(text, at, end);
  if (byte === minus) byte = byteAt(text, ++at, end);
  if (!isDigit(byte)) return ~at;
  at = byte === zero ? at + 1 : skipDigits(text, at, end);
  byte = byteAt(text, at, end);
  if (byte === dot) {
    if (!isDigit(byteAt(text, ++at, end))) return ~at;
    at = skipDigits(text, at, end);
    byte = byteAt(text, at, end);
  }
  if ((byte | 0x20) === 0x65) {
    byte = byteAt(text, ++at, end);
    if (byte === minus || byte === 0x2b) at++;
    if (!isDigit(byteAt(text, at, end))) return ~at;
    at = skipDigits(text, at, end);
  }
  return at;
}

function skipDigits(text: Uint8Array, at: number, end: number): number {
  while (isDigit(byteAt(text, at, end))) at++;
  return at;
}

/** The string whose opening quote is at `at`; its escapes and its UTF-8 are checked too. */
export function endOfString(text: Uint8Array, at: number, end: number): number {
  if (byteAt(text, at, end) !== quote) return ~at;
  at++;
  for (;;) {
    const byte = byteAt(text, at, end);
    if (byte === quote) return at + 1;
    if (byte < 0x20) return ~at;
    if (byte === backslash) at = endOfEscape(text, at, end);
    else if (byte < 0x80) at++;
    else at = endOfUtf8Sequence(text, at, end);
    if (at < 0) return at;
  }
}

/** Position of the first byte from `at` on that is not printable ASCII standing for itself inside a string. */
export function endOfPlainText(text: Uint8Array, at: number, end: number): number {
  for (;;) {
    const byte = byteAt(text, at, end);
    if (byte < 0x20 || byte >= 0x80 || byte === quote || byte === backslash) return at;
    at++;
  }
}

function endOfEscape(text: Uint8Array, at: number, end: number): number {
  switch (byteAt(text, at + 1, end)) {
    case quote:
    case backslash:
    case 0x2f: // slash
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75: // u and four hexadecimal digits
      for (let index = at + 2; index < at + 6; index++) {
        if (!isHexDigit(byteAt(text, index, end))) return ~index;
      }
      return at + 6;
    default:
      return ~at;
  }
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}

/**
 * Position behind one multi-byte sequence. Overlong forms, encoded surrogates and code points above U+10FFFF are
 * malformed: Unicode Standard, table 3-7 ("well-formed UTF-8 byte sequences").
 */
function endOfUtf8Sequence(text: Uint8Array, at: number, end: number): number {
  const lead = byteAt(text, at, end);
  const second = byteAt(text, at + 1, end);
  if (lead >= 0xc2 && lead <= 0xdf) return isContinuation(second) ? at + 2 : ~at;
  if (!isContinuation(second) || !isContinuation(byteAt(text, at + 2, end))) return ~at;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (lead === 0xe0 && second < 0xa0) return ~at;
    if (lead === 0xed && second > 0x9f) return ~at;
    return at + 3;
  }
  if (lead < 0xf0 || lead > 0xf4 || !isContinuation(byteAt(text, at + 3, end))) return ~at;
  if (lead === 0xf0 && second < 0x90) return ~at;
  if (lead === 0xf4 && second > 0x8f) return ~at;
  return at + 4;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** `true`, `false` or `null`. */
export function endOfLiteral(text: Uint8Array, at: number, end: number): number {
  switch (byteAt(text, at, end)) {
    case 0x74:
      return endOfWord(text, 'true', at, end);
    case 0x66:
      return endOfWord(text, 'false', at, end);
    case 0x6e:
      return endOfWord(text, 'null', at, end);
    default:
      return ~at;
  }
}

/** Exactly this word. */
export function endOfWord(text: Uint8Array, word: string, at: number, end: number): number {
  if (word.length > end - at) return ~at;
  for (let index = 0; index < word.length; index++) {
    if (text[at + index] !== word.charCodeAt(index)) return ~at;
  }
  return at + word.length;
}
