/**
 * A growing typed array that takes its numbers from the wire, packed or one by one.
 * Typed arrays keep a file of many small numbers at 8 bytes each at most; an array of bigints would take four times
 * that. A list is filled through `push` and taken once through `finish`.
 */
import type protobuf from 'protobufjs/minimal.js';
import type { NumberArray, NumberKind } from './message-schema.ts';

export interface NumberList {
  /** Makes room for `count` further numbers. */
  reserve(count: number): void;
  /** Reads one number; the list grows by doubling when there is no room. */
  push(reader: protobuf.Reader): void;
  /** The numbers, exactly as many as were pushed. */
  finish(): NumberArray;
}

export interface NumberWire {
  /** The wire type of a single number: 0 varint, 1 eight bytes, 5 four bytes. */
  readonly wireType: 0 | 1 | 5;
  open(): NumberList;
}

export const numberWires: Readonly<Record<NumberKind, NumberWire>> = {
  int32: {
    wireType: 0,
    open: () =>
      growing(
        (length) => new Int32Array(length),
        (array, index, reader) => (array[index] = reader.int32()),
      ),
  },
  int64: {
    wireType: 0,
    open: () =>
      growing(
        (length) => new BigInt64Array(length),
        (array, index, reader) => (array[index] = readInt64(reader)),
      ),
  },
  uint64: {
    wireType: 0,
    open: () =>
      growing(
        (length) => new BigUint64Array(length),
        (array, index, reader) => (array[index] = BigInt.asUintN(64, readInt64(reader))),
      ),
  },
  float: {
    wireType: 5,
    open: () =>
      growing(
        (length) => new Float32Array(length),
        (array, index, reader) => (array[index] = reader.float()),
      ),
  },
  double: {
    wireType: 1,
    open: () =>
      growing(
        (length) => new Float64Array(length),
        (array, index, reader) => (array[index] = reader.double()),
      ),
  },
};

/** A 64-bit varint as a bigint; the library gives two halves. */
export function readInt64(reader: protobuf.Reader): bigint {
  const { low, high } = reader.int64();
  // Sizes and flags are nearly always small: one conversion instead of three operations on bigints.
  return high === 0 && low >= 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low >>> 0);
}

function growing<List extends NumberArray>(
  allocate: (length: number) => List,
  put: (array: List, index: number, reader: protobuf.Reader) => unknown,
): NumberList {
  let array = allocate(0);
  let used = 0;

  function resize(length: number): void {
    const resized = allocate(length);
    const keptBytes = Math.min(used, length) * array.BYTES_PER_ELEMENT;
    new Uint8Array(resized.buffer).set(new Uint8Array(array.buffer, 0, keptBytes));
    array = resized;
  }

  return {
    reserve(count) {
      if (used + count > array.length) resize(used + count);
    },
    push(reader) {
      if (used === array.length) resize(Math.max(8, used * 2));
      put(array, used, reader);
      used++;
    },
    finish() {
      if (array.length !== used) resize(used);
      return array;
    },
  };
}
