/**
 * Measures how a JSON array is nested, from the text alone: for error messages, and for sizes that a model leaves
 * open. It does not read elements: whatever is not an array counts as one.
 * Invariant: `sizes` is the shape of the array if and only if `even` is true.
 */
import { JsonScanner } from './json-scanner.ts';
import { openBracket } from './json-token.ts';
import type { Nesting } from './nesting.ts';

export interface JsonNesting extends Nesting {
  /** The text of the element that was asked for; empty if there is none. */
  readonly element: { readonly start: number; readonly end: number };
}

interface Measure {
  readonly sizes: number[];
  even: boolean;
  elements: number;
  readonly element: { readonly index: number; start: number; end: number };
}

/** The span `[start, end)` of an array, brackets included. */
export interface JsonSpan {
  readonly text: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Undefined if the span is not one well-formed JSON array. `elementIndex` is the element whose place is wanted. */
export function measureNesting(span: JsonSpan, elementIndex = 0): JsonNesting | undefined {
  const scanner = new JsonScanner(span.text, span.start, span.end);
  if (!scanner.enterArray()) return undefined;
  const element = { index: elementIndex, start: 0, end: 0 };
  const measure: Measure = { sizes: [], even: true, elements: 0, element };
  measureArray(scanner, 0, measure);
  return scanner.finish() ? measure : undefined;
}

/** Measures the array that was just entered, at most as deep as the scanner goes. */
function measureArray(scanner: JsonScanner, axis: number, measure: Measure): void {
  const { sizes } = measure;
  // Reserves the place, so that what is nested in here comes behind; a first visit to an axis is along first elements.
  const first = axis === sizes.length;
  if (first) sizes.push(0);
  let length = 0;
  let lists = 0;
  while (scanner.nextElement()) {
    length++;
    if (scanner.peek() !== openBracket) {
      measureElement(scanner, measure);
    } else if (scanner.enterArray()) {
      // Only the first elements may lead to a depth not seen before.
      if (axis + 1 === sizes.length && !(first && length === 1)) measure.even = false;
      lists++;
      measureArray(scanner, axis + 1, measure);
    }
    if (scanner.fault !== undefined) return;
  }
  if (first) sizes[axis] = length;
  if (length !== sizes[axis]) measure.even = false;
  if (lists !== (axis + 1 < sizes.length ? length : 0)) measure.even = false;
}

function measureElement(scanner: JsonScanner, measure: Measure): void {
  const { element } = measure;
  const start = scanner.at;
  scanner.skipValue();
  if (measure.elements === element.index) {
    element.start = start;
    element.end = scanner.at;
  }
  measure.elements++;
}
