/**
 * The one table of tensor element types: protocol name, element size, typed array, onnxruntime name.
 * Everything that depends on a dtype derives from here; nothing else lists them.
 */

/** Names of the Open Inference Protocol v2, "Tensor Data Types". BYTES is ONNX's `string`. */
export type Datatype =
  | 'BOOL'
  | 'UINT8'
  | 'UINT16'
  | 'UINT32'
  | 'UINT64'
  | 'INT8'
  | 'INT16'
  | 'INT32'
  | 'INT64'
  | 'FP16'
  | 'FP32'
  | 'FP64'
  | 'BYTES';

/** Datatypes whose elements have a fixed size, so that a row of them has an address. */
export type NumericDatatype = Exclude<Datatype, 'BYTES'>;

/** Array views over little-endian packed elements; BOOL is one byte 0 or 1, FP16 is its bit pattern. */
export type NumericArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** What onnxruntime calls the same type. */
export type OnnxType =
  | 'bool'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float16'
  | 'float32'
  | 'float64'
  | 'string';

interface NumericArrayConstructor {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
}

interface DatatypeRow {
  readonly onnx: OnnxType;
  /** 0 for BYTES, whose elements have no fixed size. */
  readonly elementBytes: number;
  readonly array: NumericArrayConstructor | undefined;
}

const table: Readonly<Record<Datatype, DatatypeRow>> = {
  BOOL: { onnx: 'bool', elementBytes: 1, array: Uint8Array },
  UINT8: { onnx: 'uint8', elementBytes: 1, array: Uint8Array },
  UINT16: { onnx: 'uint16', elementBytes: 2, array: Uint16Array },
  UINT32: { onnx: 'uint32', elementBytes: 4, array: Uint32Array },
  UINT64: { onnx: 'uint64', elementBytes: 8, array: BigUint64Array },
  INT8: { onnx: 'int8', elementBytes: 1, array: Int8Array },
  INT16: { onnx: 'int16', elementBytes: 2, array: Int16Array },
  INT32: { onnx: 'int32', elementBytes: 4, array: Int32Array },
  INT64: { onnx: 'int64', elementBytes: 8, array: BigInt64Array },
  FP16: { onnx: 'float16', elementBytes: 2, array: Uint16Array },
  FP32: { onnx: 'float32', elementBytes: 4, array: Float32Array },
  FP64: { onnx: 'float64', elementBytes: 8, array: Float64Array },
  BYTES: { onnx: 'string', elementBytes: 0, array: undefined },
};

export const datatypes: readonly Datatype[] = Object.keys(table) as Datatype[];

const byOnnx: ReadonlyMap<string, Datatype> = new Map(datatypes.map((name) => [table[name].onnx, name]));

export function isDatatype(name: string): name is Datatype {
  return Object.hasOwn(table, name);
}

/** Size of one element in bytes; 0 for BYTES. */
export function elementBytes(datatype: Datatype): number {
  return table[datatype].elementBytes;
}

export function onnxTypeOf(datatype: Datatype): OnnxType {
  return table[datatype].onnx;
}

/** The protocol name of an onnxruntime element type, or undefined for one that no protocol format carries. */
export function datatypeOfOnnx(onnxType: string): Datatype | undefined {
  return byOnnx.get(onnxType);
}

/**
 * A typed view of `elementCount` elements at `byteOffset` of `buffer`; it aliases the buffer, nothing is copied.
 * `byteOffset` must be a multiple of the element size: arenas align to 64 bytes, so row starts are.
 */
export function typedView(
  datatype: NumericDatatype,
  place: { readonly buffer: ArrayBufferLike; readonly byteOffset: number; readonly elementCount: number },
): NumericArray {
  const { array } = table[datatype];
  if (array === undefined) throw new TypeError(`${datatype} has no fixed element size`);
  return new array(place.buffer, place.byteOffset, place.elementCount);
}
