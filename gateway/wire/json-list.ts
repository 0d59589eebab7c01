/**
 * Walks the brackets of a JSON array that holds a tensor and hands each innermost list to a reader of its elements.
 * It knows shapes, not datatypes, and says only whether everything fitted: what exactly did not is worked out
 * afterwards by json-nesting.ts, off the hot path.
 * Invariant: readers are asked for exactly as many elements as the shape has, in row-major order.
 */
import type { TextPlace } from './json-number.ts';
import { byteAt, closeBracket, comma, openBracket, skipWhitespace } from './json-token.ts';

/** Where a reader is in the text and in its target. */
export interface ElementPlace<Target> extends TextPlace {
  readonly target: Target;
  /** Elements read so far; after a failure the index of the element that failed. */
  done: number;
}

/**
 * Reads `count` (at least 1) elements separated by commas, from right behind the opening bracket to right behind the
 * last element. False if an element does not fit, or the list has fewer.
 */
export type ReadList<Target> = (place: ElementPlace<Target>, count: number) => boolean;

/**
 * Reads all elements of a tensor. Its array may be written in three ways, told apart by the brackets it opens with:
 * flat; nested as the shape says; or as a list of flat rows. Anything else, and anything behind the array, fails.
 */
export function walkLists<Target>(
  place: ElementPlace<Target>,
  shape: readonly number[],
  readList: ReadList<Target>,
): boolean {
  const sizes = listSizes(openingBrackets(place), shape);
  if (sizes === undefined) return false;
  const axes = sizes.length;
  const innermost = sizes[axes - 1] ?? 0;
  if (!expectRepeated(place, openBracket, axes)) return false;
  for (let lists = 1; ; lists++) {
    if (innermost > 0 && !readList(place, innermost)) return false;
    if (!expect(place, closeBracket)) return false;

    // As many outer lists end here as have all of theirs, like the wheels of an odometer.
    let rest = lists;
    let axis = axes - 2;
    for (; axis >= 0; axis--) {
      const size = sizes[axis] ?? 0;
      if (rest % size !== 0) break;
      rest /= size;
      if (!expect(place, closeBracket)) return false;
    }
    if (axis < 0) break;
    if (!expect(place, comma) || !expectRepeated(place, openBracket, axes - 1 - axis)) return false;
  }
  return skipWhitespace(place.text, place.at, place.end) === place.end;
}

/**
 * Sizes of the lists, from the outermost in, for a tensor written with so many brackets, in text or as built arrays;
 * undefined if no way to write the shape has that many. Behind a dimension of size 0 nothing can be nested any more.
 */
export function listSizes(brackets: number, shape: readonly number[]): readonly number[] | undefined {
  let elements = 1;
  for (const size of shape) elements *= size;
  if (brackets === 1) return [elements];
  const empty = shape.indexOf(0);
  const sizes =
    brackets === (empty === -1 ? shape.length : empty + 1)
      ? shape.slice(0, brackets)
      : brackets === 2
        ? [shape[0] ?? 0, elements / (shape[0] ?? 0)]
        : undefined;
  return sizes === undefined || sizes[0] === 0 ? undefined : sizes;
}

/** Whether lists of these sizes, from the outermost in, are a way to write a tensor of this shape. */
export function fitsShape(sizes: readonly number[], shape: readonly number[]): boolean {
  const wanted = listSizes(sizes.length, shape);
  return wanted?.length === sizes.length && wanted.every((size, axis) => size === sizes[axis]);
}

/** How many brackets the array opens with; the place does not move. */
function openingBrackets(place: TextPlace): number {
  let at = place.at;
  for (let count = 0; ; count++) {
    at = skipWhitespace(place.text, at, place.end);
    if (byteAt(place.text, at, place.end) !== openBracket) return count;
    at++;
  }
}

function expectRepeated(place: TextPlace, byte: number, times: number): boolean {
  for (let time = 0; time < times; time++) if (!expect(place, byte)) return false;
  return true;
}

/** Steps over `byte` and white space in front of it; false, and the place stays, if another byte comes. */
export function expect(place: TextPlace, byte: number): boolean {
  const at = skipWhitespace(place.text, place.at, place.end);
  if (byteAt(place.text, at, place.end) !== byte) return false;
  place.at = at + 1;
  return true;
}
