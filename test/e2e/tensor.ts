/**
 * A tensor as tests hold it: packed elements or strings, whatever form it travels in. Comparison is by bits, so that -0
 * is not 0 and a NaN equals itself. With the native engine floats may differ by its tolerance.
 */
import { type Datatype, elementBytes, type NumericArray, typedView } from '../../runtime/tensor/dtype.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { engineToleranceRatio, isNative } from '../runtime/engine-under-test.ts';

export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** FP16 as bit patterns, BOOL as 0 and 1. */
  readonly data: NumericArray | readonly string[];
}

export type Values = readonly (number | bigint | string)[];

/** FP16 values are bit patterns. Throws when the values are not as many as the shape says. */
export function tensorOf(head: Omit<Tensor, 'data'>, values: Values): Tensor {
  const { datatype, shape } = head;
  const count = elementCount(shape);
  if (values.length !== count) throw new RangeError(`${head.name} takes ${count} values`);
  if (datatype === 'BYTES') return { ...head, data: values.map(String) };
  const data = typedView(datatype, {
    buffer: new ArrayBuffer(count * elementBytes(datatype)),
    byteOffset: 0,
    elementCount: count,
  });
  for (const [index, value] of values.entries()) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[index] = BigInt(value);
    else data[index] = Number(value);
  }
  return { ...head, data };
}

/** The tensor whose elements are these bytes, copied so that they are aligned. */
export function tensorOfBytes(head: Omit<Tensor, 'data'>, bytes: Uint8Array): Tensor {
  const { datatype } = head;
  if (datatype === 'BYTES') throw new TypeError('strings have no packed form here');
  const buffer = new ArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  const count = bytes.length / elementBytes(datatype);
  return { ...head, data: typedView(datatype, { buffer, byteOffset: 0, elementCount: count }) };
}

/** Little-endian elements; for strings each with a 4-byte length in front, as the protocol packs them. */
export function packedBytes({ data }: Tensor): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat(
    data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** What differs, in words that fit a test failure; undefined when nothing does. */
export function difference(found: Tensor | undefined, wanted: Tensor): string | undefined {
  const { name } = wanted;
  if (found === undefined) return `there is no ${name}`;
  for (const field of ['name', 'datatype'] as const) {
    if (found[field] !== wanted[field]) return `${name}: ${field} is ${found[field]}`;
  }
  if (found.shape.join() !== wanted.shape.join()) return `${name}: the shape is [${found.shape.join()}]`;
  if (Buffer.compare(packedBytes(found), packedBytes(wanted)) === 0) return undefined;
  // The references are runs with WebAssembly.
  if (isNative && relativeDifference(found, wanted) <= engineToleranceRatio) return undefined;
  return `${name}: ${shown(found)} is not ${shown(wanted)}`;
}

export function differences(found: readonly Tensor[], wanted: readonly Tensor[]): string[] {
  const count = found.length === wanted.length ? [] : [`${found.length} tensors, not ${wanted.length}`];
  return [...count, ...wanted.flatMap((tensor, index) => difference(found[index], tensor) ?? [])];
}

/** Largest relative difference of two float tensors of one shape; infinite when they cannot be compared. */
export function relativeDifference(found: Tensor | undefined, wanted: Tensor): number {
  if (found === undefined || found.shape.join() !== wanted.shape.join()) return Infinity;
  let largest = 0;
  for (const [index, value] of wanted.data.entries()) {
    const other = found.data[index];
    if (Object.is(value, other)) continue;
    if (typeof value !== 'number' || typeof other !== 'number') return Infinity;
    largest = Math.max(largest, Math.abs(value - other) / Math.max(Math.abs(value), Math.abs(other)));
  }
  return largest;
}

function shown({ data }: Tensor): string {
  const elements = [...data.slice(0, 24)].map((value) => (Object.is(value, -0) ? '-0' : String(value)));
  return `[${elements.join()}${data.length > 24 ? ', ...' : ''}]`;
}
