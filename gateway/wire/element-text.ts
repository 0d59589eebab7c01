/**
 * Elements of model outputs as JSON text, in the order they lie in memory. It writes lists, flat or nested, and knows
 * no message around them.
 * Invariant: the text reads back as the same elements: 64-bit integers to the last digit, floats to the last bit.
 */
import type { ByteWriter } from './byte-writer.ts';
import { writeFloat16, writeFloat32, writeFloat64 } from './float-text.ts';
import type { OutputColumn } from './infer-request.ts';

const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Elements of a column: `count` of them from `start` on. */
export interface ElementRange {
  readonly start: number;
  readonly count: number;
}

/** Writes the elements as one flat JSON array. */
export function writeFlat(writer: ByteWriter, column: OutputColumn, range: ElementRange): void {
  writer.u8(openBracket);
  writeElements(writer, column, range);
  writer.u8(closeBracket);
}

/** Writes elements from `start` on nested as `shape` says, row-major; for the empty shape, one bare element. */
export function writeNested(
  writer: ByteWriter,
  column: OutputColumn,
  place: { readonly start: number; readonly shape: readonly number[] },
): void {
  const { start, shape } = place;
  const [size, ...inner] = shape;
  if (size === undefined) {
    writeElements(writer, column, { start, count: 1 });
    return;
  }
  if (inner.length === 0) {
    writeFlat(writer, column, { start, count: size });
    return;
  }
  let step = 1;
  for (const innerSize of inner) step *= innerSize;
  writer.u8(openBracket);
  for (let index = 0; index < size; index++) {
    if (index > 0) writer.u8(comma);
    writeNested(writer, column, { start: start + index * step, shape: inner });
  }
  writer.u8(closeBracket);
}

function writeElements(writer: ByteWriter, column: OutputColumn, { start, count }: ElementRange): void {
  const { data, datatype } = column;
  const end = start + count;
  if (data instanceof Float32Array) {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writeFloat32(writer, data[index] ?? 0);
    }
  } else if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writer.bigint(data[index] ?? 0n);
    }
  } else if (data instanceof Float64Array) {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writeFloat64(writer, data[index] ?? 0);
    }
  } else if (isStrings(data)) {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writer.jsonString(data[index] ?? '');
    }
  } else if (datatype === 'FP16') {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writeFloat16(writer, data[index] ?? 0);
    }
  } else if (datatype === 'BOOL') {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writer.ascii(data[index] === 0 ? 'false' : 'true');
    }
  } else {
    for (let index = start; index < end; index++) {
      if (index > start) writer.u8(comma);
      writer.integer(data[index] ?? 0);
    }
  }
}

function isStrings(data: OutputColumn['data']): data is readonly string[] {
  return Array.isArray(data);
}
