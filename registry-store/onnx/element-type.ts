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

const unsupported: ReadonlyMap<number, string> = new Map([
  [0, 'undefined'],
  [14, 'complex64'],
  [15, 'complex128'],
  [16, 'bfloat16'],
  [17, 'float8e4m3fn'],
  [18, 'float8e4m3fnuz'],
  [19, 'float8e5m2'],
  [20, 'float8e5m2fnuz'],
  [21, 'uint4'],
  [22, 'int4'],
  [23, 'float4e2m1'],
  [24, 'float8e8m0'],
  [25, 'uint2'],
  [26, 'int2'],
]);

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

/** A name for messages, also for types that have no datatype. */
export function elementTypeName(code: number): string {
  return byCode.get(code) ?? unsupported.get(code) ?? `element type ${code}`;
}
