/**
 * The key of a rollout out of a JSON body, found while the body is decoded: the decoder hands over what it does not read
 * itself, and nothing is read twice. One is made for each body that is asked for its key.
 *
 * Invariant: a key is a text that is not empty. A whole number stands for its digits as sent, so that 17 and "17" are one
 * key, whatever its size; fractions, booleans, lists and maps are none.
 */
import { asciiText } from './json-string.ts';
import type { JsonScanner } from './json-scanner.ts';
import { openBrace } from './json-token.ts';

/** Names on the way from the outermost map to the value, at least one. */
export type BodyPath = readonly string[];

/** A path that still fits, by its place among all of them. */
interface Trail {
  readonly path: BodyPath;
  readonly rank: number;
}

export class BodyKey {
  readonly #trails: readonly Trail[];
  readonly #found: (string | undefined)[] = [];

  /** In the order in which they are asked. */
  constructor(paths: readonly BodyPath[]) {
    this.#trails = paths.map((path, rank) => ({ path, rank }));
  }

  /** Of the first path that leads to one; undefined when none does. */
  get key(): string | undefined {
    return this.#found.find((key) => key !== undefined);
  }

  /** Takes the value of a field of the outermost map off the text, whatever it is. */
  read(scanner: JsonScanner, field: string): void {
    this.#read(scanner, at(this.#trails, { field, depth: 0 }), 1);
  }

  /** A field of the outermost map that was taken off the text between `start` and where the scanner is now. */
  took(scanner: JsonScanner, field: string, { start, value }: TakenValue): void {
    this.#note(at(this.#trails, { field, depth: 0 }), 1, keyOf(scanner, { start, value }));
  }

  #read(scanner: JsonScanner, trails: readonly Trail[], depth: number): void {
    if (trails.length > 0 && scanner.peek() === openBrace) {
      this.#readMap(scanner, trails, depth);
      return;
    }
    scanner.peek();
    const start = scanner.at;
    const value = trails.length > 0 ? scanner.readString() : undefined;
    if (value === undefined) scanner.skipValue();
    if (scanner.fault === undefined) this.#note(trails, depth, keyOf(scanner, { start, value }));
  }

  #readMap(scanner: JsonScanner, trails: readonly Trail[], depth: number): void {
    if (!scanner.enterObject()) return;
    for (let field = scanner.nextName(); field !== undefined; field = scanner.nextName()) {
      this.#read(scanner, at(trails, { field, depth }), depth + 1);
    }
  }

  /** Of a field that is there twice the first value counts. */
  #note(trails: readonly Trail[], depth: number, key: string): void {
    if (key === '') return;
    for (const { path, rank } of trails) if (path.length === depth) this.#found[rank] ??= key;
  }
}

interface TakenValue {
  readonly start: number;
  /** Anything but a string stands as it does in the text. */
  readonly value: unknown;
}

const noTrails: readonly Trail[] = [];

function at(
  trails: readonly Trail[],
  { field, depth }: { readonly field: string; readonly depth: number },
): readonly Trail[] {
  return trails.some(({ path }) => path[depth] === field)
    ? trails.filter(({ path }) => path[depth] === field)
    : noTrails;
}

const wholeNumber = /^(0|-?[1-9][0-9]*)$/;

/** '' for what is no key. */
function keyOf(scanner: JsonScanner, { start, value }: TakenValue): string {
  if (typeof value === 'string') return value;
  const text = asciiText(scanner.text, start, scanner.at);
  return wholeNumber.test(text) ? text : '';
}
