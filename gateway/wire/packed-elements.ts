/**
 * Tensors that arrive as bytes: little-endian elements side by side, as msgpack `bin` and the binary tensor extension
 * carry them. Not for arrays of values (value-elements.ts) nor for JSON text (json-elements.ts).
 * Invariant: the bytes are copied once, straight into the place where the batch runs, and never looked at as anything
 * wider than a byte, so the source may start at any address.
 */
import assert from 'node:assert';
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import { isElementText, quoted, readText } from './strict-text.ts';

/** What an input says about itself, without its elements. */
export interface TensorHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** Bytes in front of each BYTES element that say how long it is. */
const lengthBytes = 4;

/**
 * Copies packed elements into `target`, which holds exactly the elements of the tensor's shape (`[rows, ...]`,
 * row-major) and stays the caller's. After an error the content of `target` is whatever it was.
 * Codes: ELEMENT_COUNT_MISMATCH, INVALID_ELEMENT (a BOOL byte other than 0 and 1).
 */
export function writePackedElements(
  bytes: Uint8Array,
  tensor: TensorHead,
  target: NumericArray,
): WireError | undefined {
  const size = elementBytes(tensor.datatype);
  assert(size > 0, 'BYTES has no packed size; use readPackedStrings');
  const count = elementCount(tensor.shape);
  assert(
    target.length === count && target.BYTES_PER_ELEMENT === size,
    'the target holds the elements of the shape',
  );
  if (bytes.byteLength !== count * size) {
    return fail(
      'ELEMENT_COUNT_MISMATCH',
      `Input ${quoted(tensor.name)} has ${bytes.byteLength} bytes of data, but ${tensor.datatype} of shape ` +
        `[${tensor.shape.join(', ')}] takes ${count * size}.`,
    );
  }
  if (tensor.datatype === 'BOOL') {
    const wrong = firstAboveOne(bytes);
    if (wrong !== -1) {
      return fail(
        'INVALID_ELEMENT',
        `Element ${wrong} of input ${quoted(tensor.name)} is the byte ${bytes[wrong] ?? 0}; BOOL is 0 or 1.`,
      );
    }
  }
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
  return undefined;
}

/**
 * The elements of a BYTES tensor: each is a 4-byte little-endian length and that many bytes of UTF-8.
 * Codes: ELEMENT_COUNT_MISMATCH (too few, too many or left-over bytes), INVALID_ELEMENT (cut off, not UTF-8, or with a NUL).
 */
export function readPackedStrings(bytes: Uint8Array, tensor: TensorHead): Result<string[]> {
  const count = elementCount(tensor.shape);
  const strings: string[] = [];
  let position = 0;
  while (strings.length < count) {
    if (position === bytes.length) {
      return fail(
        'ELEMENT_COUNT_MISMATCH',
        `Input ${quoted(tensor.name)} has ${strings.length} elements of data, but its shape ` +
          `[${tensor.shape.join(', ')}] takes ${count}.`,
      );
    }
    const start = position + lengthBytes;
    const end = start + lengthAt(bytes, position);
    // Also true when the length field itself is cut off, since an element ends no earlier than its length field.
    if (end > bytes.length) {
      return fail('INVALID_ELEMENT', `Element ${strings.length} of input ${quoted(tensor.name)} is cut off.`);
    }
    const text = readText(bytes, start, end);
    if (text === undefined) {
      return fail(
        'INVALID_ELEMENT',
        `Element ${strings.length} of input ${quoted(tensor.name)} is not UTF-8.`,
      );
    }
    if (!isElementText(text)) {
      return fail(
        'INVALID_ELEMENT',
        `Element ${strings.length} of input ${quoted(tensor.name)} has a NUL in it, where the runtime would cut it off.`,
      );
    }
    strings.push(text);
    position = end;
  }
  if (position !== bytes.length) {
    return fail(
      'ELEMENT_COUNT_MISMATCH',
      `Input ${quoted(tensor.name)} has ${bytes.length - position} bytes of data left over after the ${count} ` +
        `elements of its shape [${tensor.shape.join(', ')}].`,
    );
  }
  return succeed(strings);
}

function firstAboveOne(bytes: Uint8Array): number {
  for (let index = 0; index < bytes.length; index++) {
    if ((bytes[index] ?? 0) > 1) return index;
  }
  return -1;
}

function lengthAt(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position] ?? 0) +
    (bytes[position + 1] ?? 0) * 0x100 +
    (bytes[position + 2] ?? 0) * 0x10000 +
    (bytes[position + 3] ?? 0) * 0x1000000
  );
}
