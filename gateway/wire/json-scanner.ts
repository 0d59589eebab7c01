/**
 * A strict JSON reader over bytes (RFC 8259) that walks a document once, in order, and makes no objects: the caller
 * enters containers, takes keys and values it wants and skips the rest. It accepts exactly what JSON.parse accepts,
 * apart from a limit on nesting. Skipped values are checked too.
 * Invariant: after the first fault every method fails, and `fault` says what was wrong and where.
 */
import { fail, type WireError } from './error-code.ts';
import { asciiText, unescapedText } from './json-string.ts';
import {
  backslash,
  byteAt,
  closeBrace,
  closeBracket,
  colon,
  comma,
  endOfNumber,
  endOfPlainText,
  endOfString,
  endOfValue,
  isDigit,
  minus,
  openBrace,
  openBracket,
  quote,
  skipWhitespace,
  tooDeep,
  zero,
} from './json-token.ts';
import { readWord } from './strict-text.ts';
import type { WordTable } from './word-table.ts';

/** Arrays and objects may be nested this deep: far beyond any tensor, and shallow enough for any stack. */
export const jsonDepthMax = 64;

/** Integers of up to this many digits are exact as doubles. */
const exactDigitsMax = 15;

export class JsonScanner {
  readonly text: Uint8Array;
  readonly #end: number;
  #at: number;
  #depthLeft = jsonDepthMax;
  /** True between entering a container and asking for its first member: no comma is due. */
  #fresh = false;
  #fault: WireError | undefined;

  constructor(text: Uint8Array, start = 0, end: number = text.length) {
    this.text = text;
    this.#at = start;
    this.#end = end;
  }

  get fault(): WireError | undefined {
    return this.#fault;
  }

  /** Position of the next value after `peek`, and right behind a value after it was read or skipped. */
  get at(): number {
    return this.#at;
  }

  /** First byte of the next token, which is not consumed; 0 at the end of the text. */
  peek(): number {
    const byte = byteAt(this.text, this.#at, this.#end);
    if (byte > 0x20) return byte;
    this.#at = skipWhitespace(this.text, this.#at, this.#end);
    return byteAt(this.text, this.#at, this.#end);
  }

  /** Steps into an object; false, and nothing is consumed, if the next value is not one. */
  enterObject(): boolean {
    return this.#enter(openBrace);
  }

  /** Steps into an array; false, and nothing is consumed, if the next value is not one. */
  enterArray(): boolean {
    return this.#enter(openBracket);
  }

  /**
   * The next key of the object entered last, standing before its value: the one of `known` it equals, or '' if it is
   * none of them; undefined behind the last key, or on a fault.
   */
  nextKey<Key extends string>(known: WordTable<Key>): Key | '' | undefined {
    if (!this.#nextMember(closeBrace)) return undefined;
    const key = this.readKnown(known);
    if (key === undefined && !this.#takeString()) return undefined;
    return this.#stepOverColon() ? (key ?? '') : undefined;
  }

  /** Like `nextKey`, where any key may come. */
  nextName(): string | undefined {
    if (!this.#nextMember(closeBrace)) return undefined;
    if (this.peek() !== quote) this.#misfit(this.#at);
    const name = this.readName();
    return name !== undefined && this.#stepOverColon() ? name : undefined;
  }

  /** Whether the array entered last has another element, standing before it; false behind its last one, or on a fault. */
  nextElement(): boolean {
    return this.#nextMember(closeBracket);
  }

  /** Skips a `null`; false, and nothing is skipped, if the next value is another. */
  skipNull(): boolean {
    return this.peek() === 0x6e && this.skipValue();
  }

  /** Skips one value of any kind and checks it. */
  skipValue(): boolean {
    this.peek();
    return this.#take(endOfValue(this.text, this.#at, this.#end, this.#depthLeft));
  }

  /** The next value if it is a string; otherwise undefined, and nothing is consumed. */
  readString(): string | undefined {
    if (this.peek() !== quote) return undefined;
    const start = this.#at + 1;
    return this.#takeString() ? unescapedText(this.text, start, this.#at - 1) : undefined;
  }

  /** Like `readString`, for text that comes with every request: tensor names. */
  readName(): string | undefined {
    if (this.peek() !== quote || this.#fault !== undefined) return undefined;
    const start = this.#at + 1;
    const end = endOfPlainText(this.text, start, this.#end);
    if (byteAt(this.text, end, this.#end) !== quote) return this.readString();
    this.#at = end + 1;
    return readWord(this.text, start, end);
  }

  /** The one of `known` that the next value is, if it is such a string; otherwise undefined, and nothing is consumed. */
  readKnown<Word extends string>(known: WordTable<Word>): Word | undefined {
    if (this.peek() !== quote || this.#fault !== undefined) return undefined;
    const word = known.find(this.text, this.#at + 1, this.#end);
    if (word === undefined) return this.#readEscapedWord(known);
    this.#at += word.length + 2;
    return word;
  }

  /** The next value if it is a number; otherwise undefined, and nothing is consumed. */
  readNumber(): number | undefined {
    const byte = this.peek();
    if (byte !== minus && !isDigit(byte)) return undefined;
    const start = this.#at;
    if (!this.#take(endOfNumber(this.text, start, this.#end))) return undefined;
    // Sizes, the numbers read here, are a few plain digits.
    if (this.#at > start + exactDigitsMax) return Number(asciiText(this.text, start, this.#at));
    let value = 0;
    for (let at = start; at < this.#at; at++) {
      const digit = byteAt(this.text, at, this.#at) - zero;
      if (digit < 0 || digit > 9) return Number(asciiText(this.text, start, this.#at));
      value = value * 10 + digit;
    }
    return value;
  }

  /** The next value if it is `true` or `false`; otherwise undefined, and nothing is consumed. */
  readBoolean(): boolean | undefined {
    const byte = this.peek();
    if (byte !== 0x74 && byte !== 0x66) return undefined;
    return this.skipValue() ? byte === 0x74 : undefined;
  }

  /** True if nothing but white space is left. */
  finish(): boolean {
    this.peek();
    if (this.#at < this.#end) this.#misfit(this.#at);
    return this.#fault === undefined;
  }

  /**
   * The error for a value of the wrong kind, which has not been consumed: MALFORMED_JSON if it is no value at all,
   * otherwise INVALID_REQUEST saying that `where` must be `wanted`.
   */
  refuse(where: string, wanted: string): WireError {
    this.skipValue();
    return this.#fault ?? fail('INVALID_REQUEST', `${where} must be ${wanted}.`);
  }

  #enter(open: number): boolean {
    if (this.#fault !== undefined || this.peek() !== open) return false;
    if (this.#depthLeft === 0) return this.#take(tooDeep);
    this.#depthLeft--;
    this.#at++;
    this.#fresh = true;
    return true;
  }

  #nextMember(close: number): boolean {
    if (this.#fault !== undefined) return false;
    const byte = this.peek();
    const fresh = this.#fresh;
    this.#fresh = false;
    if (byte === close) {
      this.#depthLeft++;
      this.#at++;
      return false;
    }
    if (fresh) return true;
    if (byte !== comma) return this.#misfit(this.#at);
    this.#at++;
    return true;
  }

  #takeString(): boolean {
    return this.#take(endOfString(this.text, this.#at, this.#end));
  }

  #stepOverColon(): boolean {
    if (this.peek() !== colon) return this.#misfit(this.#at);
    this.#at++;
    return true;
  }

  /** For words that are written with escapes, which mean the same: nobody does, but JSON allows it. */
  #readEscapedWord<Word extends string>(known: WordTable<Word>): Word | undefined {
    const start = this.#at;
    const plainEnd = endOfPlainText(this.text, start + 1, this.#end);
    if (byteAt(this.text, plainEnd, this.#end) !== backslash) return undefined;
    const text = this.readString();
    const word = known.words.find((candidate) => candidate === text);
    if (word === undefined) this.#at = start;
    return word;
  }

  /** Moves behind a token, or records that there is none. */
  #take(next: number): boolean {
    if (this.#fault !== undefined) return false;
    if (next >= 0) {
      this.#at = next;
      return true;
    }
    if (next !== tooDeep) return this.#misfit(~next);
    this.#fault = fail(
      'MALFORMED_JSON',
      `Arrays and objects are nested more than ${jsonDepthMax} deep, at byte ${this.#at}.`,
    );
    return false;
  }

  #misfit(at: number): false {
    this.#fault ??= fail('MALFORMED_JSON', this.#describeMisfit(at));
    return false;
  }

  #describeMisfit(at: number): string {
    if (at >= this.#end) return 'The body is not JSON: it ends too early.';
    const byte = byteAt(this.text, at, this.#end);
    if (at === 0 && byte === 0xef) return 'The body starts with a byte order mark; send UTF-8 without one.';
    const shown =
      byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `the byte 0x${byte.toString(16)}`;
    return `The body is not JSON: ${shown} does not belong at byte ${at}.`;
  }
}
