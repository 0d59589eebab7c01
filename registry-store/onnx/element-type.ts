/**
 * The one table between ONNX element type codes (TensorProto.DataType) and the protocol's datatypes.
 * Types that no client format can carry are known by name only, so that a refusal can name them.
 */
import type { Datatype } from '../manifest/signature.ts';

interface ElementType {
  readonly code: number;
  /** Bytes of one element in raw_data; 0 for BYTES, which has no raw form. */
  readonly elementBytes: number;
}

const table: Readonly<Record<Datatype, ElementType>> = {
  FP32: { code: 1, elementBytes: 4 },
  UINT8: { code: 2, elementBytes: 1 },
  INT8: { code: 3, elementBytes: 1 },
  UINT16: { code: 4, elementBytes: 2 },
  INT16: { code: 5, elementBytes: 2 },
  INT32: { code: 6, elementBytes: 4 },
  INT64: { code: 7, elementBytes: 8 },
  BYTES: { code: 8, elementBytes: 0 },
  BOOL: { code: 9, elementBytes: 1 },
  FP16: { code: 10, elementBytes: 2 },
  FP64: { code: 11, elementBytes: 8 },
  UINT32: { code: 12, elementBytes: 4 },
  UINT64: { code: 13, elementBytes: 8 },
};

interface UnsupportedType {
  readonly name: string;
  /** Bits of one element; the smallest share a byte. */
  readonly elementBits: number;
}

const unsupported: ReadonlyMap<number, UnsupportedType> = new Map(
  (
    [
      [0, 'undefined', 0],
      [14, 'complex64', 64],
      [15, 'complex128', 128],
      [16, 'bfloat16', 16],
      [17, 'float8e4m3fn', 8],
      [18, 'float8e4m3fnuz', 8],
      [19, 'float8e5m2', 8],
      [20, 'float8e5m2fnuz', 8],
      [21, 'uint4', 4],
      [22, 'int4', 4],
      [23, 'float4e2m1', 4],
      [24, 'float8e8m0', 8],
      [25, 'uint2', 2],
      [26, 'int2', 2],
    ] as const
  ).map(([code, name, elementBits]) => [code, { name, elementBits }]),
);

const byCode: ReadonlyMap<number, Datatype> = new Map(
  (Object.keys(table) as Datatype[]).map((datatype) => [table[datatype].code, datatype]),
);

export function elementTypeCode(datatype: Datatype): number {
  return table[datatype].code;
}

export function elementTypeBytes(datatype: Datatype): number {
  return table[datatype].elementBytes;
}

/** Undefined for an element type that no client format carries. */
export function datatypeOfCode(code: number): Datatype | undefined {
  return byCode.get(code);
}

/** Bits of one element as it is stored; 0 for strings and for what has no known size. */
export function elementTypeBits(code: number): number {
  const datatype = byCode.get(code);
  return datatype === undefined
    ? (unsupported.get(code)?.elementBits ?? 0)
    : table[datatype].elementBytes * 8;
}

/** A name for messages, also for types that have no datatype. */
export function elementTypeName(code: number): string {
  return byCode.get(code) ?? unsupported.get(code)?.name ?? `element type ${code}`;
}
