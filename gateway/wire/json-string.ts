/**
 * The values of JSON tokens whose span the tokenizer has already accepted: strings with their escapes, ASCII text.
 * Nothing is checked again here.
 * Invariant: the value is the one JSON.parse gives, lone surrogates from escapes included.
 */
import { backslash, endOfPlainText } from './json-token.ts';
import { readText } from './strict-text.ts';

/** Text of the ASCII in `[start, end)`. */
export function asciiText(text: Uint8Array, start: number, end: number): string {
  return bufferOf(text, start, end).toString('latin1');
}

/** Value of the string body `[start, end)`, quotes excluded. */
export function unescapedText(text: Uint8Array, start: number, end: number): string {
  if (endOfPlainText(text, start, end) === end) return readText(text, start, end) ?? '';
  let value = '';
  let plainStart = start;
  for (let at = start; at < end;) {
    if (text[at] !== backslash) {
      at++;
      continue;
    }
    value += utf8Text(text, plainStart, at);
    const letter = text[at + 1] ?? 0;
    if (letter === letterU) {
      value += String.fromCharCode(Number.parseInt(asciiText(text, at + 2, at + 6), 16));
      at += 6;
    } else {
      value += escapeValues.get(letter) ?? String.fromCharCode(letter);
      at += 2;
    }
    plainStart = at;
  }
  return value + utf8Text(text, plainStart, end);
}

const letterU = 0x75;

/** Escapes that do not stand for their own letter. */
const escapeValues: ReadonlyMap<number, string> = new Map([
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

function utf8Text(text: Uint8Array, start: number, end: number): string {
  return start === end ? '' : bufferOf(text, start, end).toString('utf8');
}

function bufferOf(text: Uint8Array, start: number, end: number): Buffer {
  return Buffer.from(text.buffer, text.byteOffset + start, end - start);
}
