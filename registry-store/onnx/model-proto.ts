/**
 * The messages of an ONNX file as TypeScript sees them; model-schema.ts has their numbers on the wire.
 * Names and meaning follow onnx.proto (IR version 13); training information and device configurations, which
 * inference does not use, are left out. A field is present exactly when the file has it, so a default is never
 * invented and reading back what was written gives the same value.
 */

export interface ModelProto {
  readonly irVersion?: bigint;
  readonly opsetImport?: readonly OperatorSetId[];
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly domain?: string;
  readonly modelVersion?: bigint;
  readonly docString?: string;
  readonly graph?: GraphProto;
  readonly metadataProps?: readonly StringEntry[];
  readonly functions?: readonly FunctionProto[];
}

export interface OperatorSetId {
  /** Absent or empty is the standard set, also spelled `ai.onnx`. */
  readonly domain?: string;
  readonly version?: bigint;
}

export interface StringEntry {
  readonly key?: string;
  readonly value?: string;
}

export interface GraphProto {
  readonly node?: readonly NodeProto[];
  readonly name?: string;
  readonly initializer?: readonly TensorProto[];
  readonly sparseInitializer?: readonly SparseTensorProto[];
  readonly docString?: string;
  readonly input?: readonly ValueInfoProto[];
  readonly output?: readonly ValueInfoProto[];
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly metadataProps?: readonly StringEntry[];
}

export interface NodeProto {
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly name?: string;
  readonly opType?: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly attribute?: readonly AttributeProto[];
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

/** `type` says which one of the value fields is in use; see `attributeType`. */
export interface AttributeProto {
  readonly name?: string;
  readonly refAttrName?: string;
  readonly docString?: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: bigint;
  readonly s?: Uint8Array;
  readonly t?: TensorProto;
  readonly g?: GraphProto;
  readonly sparseTensor?: SparseTensorProto;
  readonly typeProto?: TypeProto;
  readonly floats?: Float32Array;
  readonly ints?: BigInt64Array;
  readonly strings?: readonly Uint8Array[];
  readonly tensors?: readonly TensorProto[];
  readonly graphs?: readonly GraphProto[];
  readonly sparseTensors?: readonly SparseTensorProto[];
  readonly typeProtos?: readonly TypeProto[];
}

export const attributeType = {
  float: 1,
  int: 2,
  text: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  texts: 8,
} as const;

/** Row-major. `dataType` is a code of element-type.ts; the elements are in `rawData` or in one of the typed lists. */
export interface TensorProto {
  readonly dims?: BigInt64Array;
  readonly dataType?: number;
  readonly segment?: TensorSegment;
  readonly floatData?: Float32Array;
  readonly int32Data?: Int32Array;
  readonly stringData?: readonly Uint8Array[];
  readonly int64Data?: BigInt64Array;
  readonly name?: string;
  readonly docString?: string;
  /** Little-endian, fixed width. Aliases the file's bytes after reading. */
  readonly rawData?: Uint8Array;
  readonly externalData?: readonly StringEntry[];
  /** 1 when the elements are in another file. */
  readonly dataLocation?: number;
  readonly doubleData?: Float64Array;
  readonly uint64Data?: BigUint64Array;
  readonly metadataProps?: readonly StringEntry[];
}

export interface TensorSegment {
  readonly begin?: bigint;
  readonly end?: bigint;
}

export interface SparseTensorProto {
  readonly values?: TensorProto;
  readonly indices?: TensorProto;
  readonly dims?: BigInt64Array;
}

export interface ValueInfoProto {
  readonly name?: string;
  readonly type?: TypeProto;
  readonly docString?: string;
  readonly metadataProps?: readonly StringEntry[];
}

/** Exactly one of the `...Type` fields is set. */
export interface TypeProto {
  readonly tensorType?: TensorTypeProto;
  readonly sequenceType?: ElementTypeProto;
  readonly mapType?: MapTypeProto;
  readonly optionalType?: ElementTypeProto;
  readonly sparseTensorType?: TensorTypeProto;
  readonly opaqueType?: OpaqueTypeProto;
  readonly denotation?: string;
}

export interface TensorTypeProto {
  readonly elemType?: number;
  /** Absent when even the rank is unknown; present without dimensions for a scalar. */
  readonly shape?: TensorShapeProto;
}

export interface ElementTypeProto {
  readonly elemType?: TypeProto;
}

export interface MapTypeProto {
  readonly keyType?: number;
  readonly valueType?: TypeProto;
}

export interface OpaqueTypeProto {
  readonly domain?: string;
  readonly name?: string;
}

export interface TensorShapeProto {
  readonly dim?: readonly DimensionProto[];
}

/** A size, a symbolic name, or neither: any size. */
export interface DimensionProto {
  readonly dimValue?: bigint;
  readonly dimParam?: string;
  readonly denotation?: string;
}

/** An operator that the file defines itself; nodes call it by domain, name and overload. */
export interface FunctionProto {
  readonly name?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly attribute?: readonly string[];
  readonly attributeProto?: readonly AttributeProto[];
  readonly node?: readonly NodeProto[];
  readonly docString?: string;
  readonly opsetImport?: readonly OperatorSetId[];
  readonly domain?: string;
  readonly overload?: string;
  readonly valueInfo?: readonly ValueInfoProto[];
  readonly metadataProps?: readonly StringEntry[];
}
