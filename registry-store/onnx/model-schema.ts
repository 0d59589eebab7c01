/**
 * The field numbers of onnx.proto, checked against the descriptor that the ONNX project ships (1.12) and, for what
 * came later (overload, metadata_props, value_info of functions), against its published onnx.proto.
 * Only numbers live here; the meaning of a field is in model-proto.ts.
 */
import type * as proto from './model-proto.ts';
import {
  byteStrings,
  bytes,
  doubles,
  float,
  floats,
  int32,
  int32s,
  int64,
  int64s,
  message,
  messages,
  schemaOf,
  text,
  texts,
  uint64s,
} from './message-schema.ts';
import type { Schema } from './message-schema.ts';

export const modelSchema: Schema<proto.ModelProto> = schemaOf<proto.ModelProto>({
  irVersion: int64(1),
  producerName: text(2),
  producerVersion: text(3),
  domain: text(4),
  modelVersion: int64(5),
  docString: text(6),
  graph: message(7, () => graphSchema),
  opsetImport: messages(8, () => operatorSetSchema),
  metadataProps: messages(14, () => stringEntrySchema),
  functions: messages(25, () => functionSchema),
});

const operatorSetSchema = schemaOf<proto.OperatorSetId>({ domain: text(1), version: int64(2) });

const stringEntrySchema = schemaOf<proto.StringEntry>({ key: text(1), value: text(2) });

const graphSchema: Schema<proto.GraphProto> = schemaOf<proto.GraphProto>({
  node: messages(1, () => nodeSchema),
  name: text(2),
  initializer: messages(5, () => tensorSchema),
  docString: text(10),
  input: messages(11, () => valueInfoSchema),
  output: messages(12, () => valueInfoSchema),
  valueInfo: messages(13, () => valueInfoSchema),
  sparseInitializer: messages(15, () => sparseTensorSchema),
  metadataProps: messages(16, () => stringEntrySchema),
});

const nodeSchema: Schema<proto.NodeProto> = schemaOf<proto.NodeProto>({
  input: texts(1),
  output: texts(2),
  name: text(3),
  opType: text(4),
  attribute: messages(5, () => attributeSchema),
  docString: text(6),
  domain: text(7),
  overload: text(8),
  metadataProps: messages(9, () => stringEntrySchema),
});

const attributeSchema: Schema<proto.AttributeProto> = schemaOf<proto.AttributeProto>({
  name: text(1),
  f: float(2),
  i: int64(3),
  s: bytes(4),
  t: message(5, () => tensorSchema),
  g: message(6, () => graphSchema),
  floats: floats(7),
  ints: int64s(8),
  strings: byteStrings(9),
  tensors: messages(10, () => tensorSchema),
  graphs: messages(11, () => graphSchema),
  docString: text(13),
  typeProto: message(14, () => typeSchema),
  typeProtos: messages(15, () => typeSchema),
  type: int32(20),
  refAttrName: text(21),
  sparseTensor: message(22, () => sparseTensorSchema),
  sparseTensors: messages(23, () => sparseTensorSchema),
});

export const tensorSchema: Schema<proto.TensorProto> = schemaOf<proto.TensorProto>({
  dims: int64s(1),
  dataType: int32(2),
  segment: message(3, () => segmentSchema),
  floatData: floats(4),
  int32Data: int32s(5),
  stringData: byteStrings(6),
  int64Data: int64s(7),
  name: text(8),
  rawData: bytes(9),
  doubleData: doubles(10),
  uint64Data: uint64s(11),
  docString: text(12),
  externalData: messages(13, () => stringEntrySchema),
  dataLocation: int32(14),
  metadataProps: messages(16, () => stringEntrySchema),
});

const segmentSchema = schemaOf<proto.TensorSegment>({ begin: int64(1), end: int64(2) });

const sparseTensorSchema = schemaOf<proto.SparseTensorProto>({
  values: message(1, () => tensorSchema),
  indices: message(2, () => tensorSchema),
  dims: int64s(3),
});

const valueInfoSchema = schemaOf<proto.ValueInfoProto>({
  name: text(1),
  type: message(2, () => typeSchema),
  docString: text(3),
  metadataProps: messages(4, () => stringEntrySchema),
});

const typeSchema: Schema<proto.TypeProto> = schemaOf<proto.TypeProto>({
  tensorType: message(1, () => tensorTypeSchema),
  sequenceType: message(4, () => elementTypeSchema),
  mapType: message(5, () => mapTypeSchema),
  denotation: text(6),
  opaqueType: message(7, () => opaqueTypeSchema),
  sparseTensorType: message(8, () => tensorTypeSchema),
  optionalType: message(9, () => elementTypeSchema),
});

const tensorTypeSchema = schemaOf<proto.TensorTypeProto>({
  elemType: int32(1),
  shape: message(2, () => shapeSchema),
});

const elementTypeSchema: Schema<proto.ElementTypeProto> = schemaOf<proto.ElementTypeProto>({
  elemType: message(1, () => typeSchema),
});

const mapTypeSchema: Schema<proto.MapTypeProto> = schemaOf<proto.MapTypeProto>({
  keyType: int32(1),
  valueType: message(2, () => typeSchema),
});

const opaqueTypeSchema = schemaOf<proto.OpaqueTypeProto>({ domain: text(1), name: text(2) });

const shapeSchema = schemaOf<proto.TensorShapeProto>({ dim: messages(1, () => dimensionSchema) });

const dimensionSchema = schemaOf<proto.DimensionProto>({
  dimValue: int64(1),
  dimParam: text(2),
  denotation: text(3),
});

const functionSchema = schemaOf<proto.FunctionProto>({
  name: text(1),
  input: texts(4),
  output: texts(5),
  attribute: texts(6),
  node: messages(7, () => nodeSchema),
  docString: text(8),
  opsetImport: messages(9, () => operatorSetSchema),
  domain: text(10),
  attributeProto: messages(11, () => attributeSchema),
  valueInfo: messages(12, () => valueInfoSchema),
  overload: text(13),
  metadataProps: messages(14, () => stringEntrySchema),
});
