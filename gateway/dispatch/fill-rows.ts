/** The one copy of a request's elements on this side of the threads: from the bytes it came in to its rows in the arena. */
import { elementBytes, typedView } from '../../runtime/tensor/dtype.ts';
import type { RowPlace, RowSlabs } from '../../runtime/tensor/row-slabs.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import type { WireError } from '../wire/error-code.ts';
import type { InputTensor } from '../wire/infer-request.ts';
import { readStrings, writeElements } from '../wire/tensor-elements.ts';

export interface RowsToFill {
  readonly arena: SharedArrayBuffer;
  readonly slabs: RowSlabs;
  readonly place: RowPlace;
  /** In the order of the model. */
  readonly inputs: readonly InputTensor[];
}

/** String inputs by input index, the others undefined; or what is wrong with an element. */
export type Filled = readonly (readonly string[] | undefined)[];

/**
 * Writes the numeric inputs into their rows and returns the string inputs, which cannot live there; undefined when there
 * are none. After an error the rows hold anything and must not be run.
 */
export function fillRows(rows: RowsToFill): Filled | WireError | undefined {
  let strings: (readonly string[] | undefined)[] | undefined;
  for (let index = 0; index < rows.inputs.length; index++) {
    const input = rows.inputs[index];
    if (input === undefined) continue;
    if (input.datatype === 'BYTES') {
      const read = readStrings(input);
      if (!read.ok) return read;
      strings ??= [];
      strings[index] = read.value;
      continue;
    }
    if (copySmall(input, rows, index)) continue;
    const target = typedView(input.datatype, {
      buffer: rows.arena,
      byteOffset: rows.slabs.byteOffset(rows.place, index),
      elementCount: elementCount(input.shape),
    });
    const error = writeElements(input, target);
    if (error !== undefined) return error;
  }
  return strings;
}

/** Making a view costs more than copying so many bytes one by one. */
const copiedByHandMax = 128;

/** The arena of the last request as bytes; there is one for the whole process, except in tests. */
let arenaBytes = new Uint8Array(new SharedArrayBuffer(0));

/** Packed elements of one small input, when there is nothing to say against them; otherwise nothing is done. */
function copySmall({ datatype, shape, source }: InputTensor, rows: RowsToFill, index: number): boolean {
  if (source.kind !== 'packed' || datatype === 'BOOL') return false;
  const { bytes } = source;
  const { length } = bytes;
  if (length > copiedByHandMax || length !== elementCount(shape) * elementBytes(datatype)) return false;
  if (arenaBytes.buffer !== rows.arena) arenaBytes = new Uint8Array(rows.arena);
  const start = rows.slabs.byteOffset(rows.place, index);
  for (let at = 0; at < length; at++) arenaBytes[start + at] = bytes[at] ?? 0;
  return true;
}
