/**
 * A fixed set of ASCII words that bytes are compared with, without making a string of them first: the keys of a
 * message, the names of datatypes. Escapes are not its business.
 * Invariant: a word is found if and only if its bytes and the quote that closes it are there.
 */
import { byteAt, quote } from './json-token.ts';

interface Entry<Word> {
  readonly word: Word;
  readonly bytes: Uint8Array;
}

export class WordTable<Word extends string> {
  readonly words: readonly Word[];
  /** The words that start with a byte, by that byte. */
  readonly #byFirst: readonly (readonly Entry<Word>[])[];

  /** No word may be empty. */
  constructor(words: readonly Word[]) {
    this.words = words;
    const entries = words.map((word) => ({ word, bytes: Uint8Array.from(Buffer.from(word)) }));
    this.#byFirst = Array.from({ length: 256 }, (_, first) =>
      entries.filter(({ bytes }) => bytes[0] === first),
    );
  }

  /** The word that stands at `at`, with a closing quote behind it, all in front of `end`. */
  find(text: Uint8Array, at: number, end: number): Word | undefined {
    const entries = this.#byFirst[byteAt(text, at, end)];
    if (entries === undefined) return undefined;
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index];
      if (entry === undefined || byteAt(text, at + entry.bytes.length, end) !== quote) continue;
      if (standsAt(text, at, entry.bytes)) return entry.word;
    }
    return undefined;
  }
}

/** Whether `bytes` stand at `at`, the first of which is known to; there are that many left. */
function standsAt(text: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let index = 1; index < bytes.length; index++) {
    if (bytes[index] !== text[at + index]) return false;
  }
  return true;
}
