/**
 * The one table of element types: protocol name, bytes of an element, typed array. Everything that depends on a
 * datatype derives from here.
 * Elements are little-endian on the wire and in typed arrays, as on every machine that runs a browser or Node today.
 */

/** Names of the Open Inference Protocol v2, "Tensor Data Types". */
export type Datatype = keyof TensorDataByDatatype;

/** What the elements of a tensor are held in, row-major and without gaps. */
export interface TensorDataByDatatype {
  /** One byte each, 0 or 1. */
  BOOL: Uint8Array;
  UINT8: Uint8Array;
  UINT16: Uint16Array;
  UINT32: Uint32Array;
  UINT64: BigUint64Array;
  INT8: Int8Array;
  INT16: Int16Array;
  INT32: Int32Array;
  INT64: BigInt64Array;
  /** Bit patterns of IEEE 754 half precision; `numbersOf` and `halfToNumber` turn them into numbers. */
  FP16: Uint16Array;
  FP32: Float32Array;
  FP64: Float64Array;
  /**
   * Strings of bytes. In results an element is a string when it is UTF-8 and a Uint8Array when it is not, so nothing
   * is lost; `textsOf` and `bytesOf` give one kind.
   */
  BYTES: readonly (string | Uint8Array)[];
}

export type NumericDatatype = Exclude<Datatype, 'BYTES'>;
export type NumericData = TensorDataByDatatype[NumericDatatype];

interface NumericArrayType {
  new (length: number): NumericData;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericData;
}

export interface NumericRow {
  readonly elementBytes: number;
  readonly array: NumericArrayType;
  /** Bounds of whole-number types; undefined for floats. */
  readonly range: readonly [min: bigint, max: bigint] | undefined;
}

const unsigned = (bits: bigint): readonly [bigint, bigint] => [0n, 2n ** bits - 1n];
const signed = (bits: bigint): readonly [bigint, bigint] => [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];

const table: Readonly<Record<NumericDatatype, NumericRow>> = {
  BOOL: { elementBytes: 1, array: Uint8Array, range: [0n, 1n] },
  UINT8: { elementBytes: 1, array: Uint8Array, range: unsigned(8n) },
  UINT16: { elementBytes: 2, array: Uint16Array, range: unsigned(16n) },
  UINT32: { elementBytes: 4, array: Uint32Array, range: unsigned(32n) },
  UINT64: { elementBytes: 8, array: BigUint64Array, range: unsigned(64n) },
  INT8: { elementBytes: 1, array: Int8Array, range: signed(8n) },
  INT16: { elementBytes: 2, array: Int16Array, range: signed(16n) },
  INT32: { elementBytes: 4, array: Int32Array, range: signed(32n) },
  INT64: { elementBytes: 8, array: BigInt64Array, range: signed(64n) },
  FP16: { elementBytes: 2, array: Uint16Array, range: undefined },
  FP32: { elementBytes: 4, array: Float32Array, range: undefined },
  FP64: { elementBytes: 8, array: Float64Array, range: undefined },
};

/** All of them, in the order of the protocol's table. */
export const datatypes: readonly Datatype[] = [...(Object.keys(table) as NumericDatatype[]), 'BYTES'];

export function isDatatype(name: unknown): name is Datatype {
  return name === 'BYTES' || (typeof name === 'string' && Object.hasOwn(table, name));
}

export function numericRow(datatype: NumericDatatype): NumericRow {
  return table[datatype];
}

/** Bytes of one element; 0 for BYTES, whose elements differ in size. */
export function elementBytes(datatype: Datatype): number {
  return datatype === 'BYTES' ? 0 : table[datatype].elementBytes;
}
