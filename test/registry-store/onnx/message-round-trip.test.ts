/** Reading undoes writing, in every field; the golden files were written by the ONNX project itself (golden/make.py). */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobuf from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  SparseTensorProto,
  StringEntry,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from '../../../registry-store/onnx/model-proto.ts';
import { modelSchema } from '../../../registry-store/onnx/model-schema.ts';
import { readMessage } from '../../../registry-store/onnx/read-message.ts';
import { writeMessage } from '../../../registry-store/onnx/write-message.ts';

/** A lone surrogate has no UTF-8, so texts are made of whole characters. */
const text = fc.string({ unit: 'grapheme', maxLength: 3 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const bytes = fc.uint8Array({ maxLength: 6 });
const short = { minLength: 1, maxLength: 2 };
const int64s = fc.bigInt64Array(short);
const float = fc.float({ noNaN: true });

const entry: fc.Arbitrary<StringEntry> = fc.record({ key: text, value: text }, { requiredKeys: [] });
const entries = fc.array(entry, short);

const tensor: fc.Arbitrary<TensorProto> = fc.record(
  {
    dims: int64s,
    dataType: fc.integer(),
    segment: fc.record({ begin: int64, end: int64 }, { requiredKeys: [] }),
    floatData: fc.float32Array({ ...short, noNaN: true }),
    int32Data: fc.int32Array(short),
    stringData: fc.array(bytes, short),
    int64Data: int64s,
    name: text,
    docString: text,
    rawData: bytes,
    externalData: entries,
    dataLocation: fc.integer(),
    doubleData: fc.float64Array({ ...short, noNaN: true }),
    uint64Data: fc.bigUint64Array(short),
    metadataProps: entries,
  },
  { requiredKeys: [] },
);

const sparseTensor: fc.Arbitrary<SparseTensorProto> = fc.record(
  { values: tensor, indices: tensor, dims: int64s },
  { requiredKeys: [] },
);

const dimension = fc.record({ dimValue: int64, dimParam: text, denotation: text }, { requiredKeys: [] });
const tensorType = fc.record(
  { elemType: fc.integer(), shape: fc.record({ dim: fc.array(dimension, short) }, { requiredKeys: [] }) },
  { requiredKeys: [] },
);

/** Types and graphs hold one another without end; two levels of each reach every field. */
function typeAbove(inner: fc.Arbitrary<TypeProto>): fc.Arbitrary<TypeProto> {
  const element = fc.record({ elemType: inner }, { requiredKeys: [] });
  const kinds = {
    tensorType,
    sequenceType: element,
    mapType: fc.record({ keyType: fc.integer(), valueType: inner }, { requiredKeys: [] }),
    optionalType: element,
    sparseTensorType: tensorType,
    opaqueType: fc.record({ domain: text, name: text }, { requiredKeys: [] }),
    denotation: text,
  };
  return fc.record(kinds, { requiredKeys: [] });
}

const type = typeAbove(typeAbove(fc.record({ tensorType })));

const valueInfo: fc.Arbitrary<ValueInfoProto> = fc.record(
  { name: text, type, docString: text, metadataProps: entries },
  { requiredKeys: [] },
);

function graphAbove(attributes: fc.Arbitrary<AttributeProto>): fc.Arbitrary<GraphProto> {
  return fc.record(
    {
      node: fc.array(nodeAbove(attributes), short),
      name: text,
      initializer: fc.array(tensor, short),
      sparseInitializer: fc.array(sparseTensor, short),
      docString: text,
      input: fc.array(valueInfo, short),
      output: fc.array(valueInfo, short),
      valueInfo: fc.array(valueInfo, short),
      metadataProps: entries,
    },
    { requiredKeys: [] },
  );
}

function nodeAbove(attributes: fc.Arbitrary<AttributeProto>): fc.Arbitrary<NodeProto> {
  return fc.record(
    {
      input: fc.array(text, short),
      output: fc.array(text, short),
      name: text,
      opType: text,
      domain: text,
      overload: text,
      attribute: fc.array(attributes, short),
      docString: text,
      metadataProps: entries,
    },
    { requiredKeys: [] },
  );
}

function attributeAbove(graphs: fc.Arbitrary<GraphProto>): fc.Arbitrary<AttributeProto> {
  return fc.record(
    {
      name: text,
      refAttrName: text,
      docString: text,
      type: fc.integer(),
      f: float,
      i: int64,
      s: bytes,
      t: tensor,
      g: graphs,
      sparseTensor,
      typeProto: type,
      floats: fc.float32Array({ ...short, noNaN: true }),
      ints: int64s,
      strings: fc.array(bytes, short),
      tensors: fc.array(tensor, short),
      graphs: fc.array(graphs, { minLength: 1, maxLength: 2 }),
      sparseTensors: fc.array(sparseTensor, short),
      typeProtos: fc.array(type, short),
    },
    { requiredKeys: [] },
  );
}

const attribute = attributeAbove(graphAbove(fc.record({ name: text })));
const graph = graphAbove(attribute);
const node = nodeAbove(attribute);

const opset = fc.record({ domain: text, version: int64 }, { requiredKeys: [] });

const functionProto: fc.Arbitrary<FunctionProto> = fc.record(
  {
    name: text,
    input: fc.array(text, short),
    output: fc.array(text, short),
    attribute: fc.array(text, short),
    attributeProto: fc.array(attribute, short),
    node: fc.array(node, short),
    docString: text,
    opsetImport: fc.array(opset, short),
    domain: text,
    overload: text,
    valueInfo: fc.array(valueInfo, short),
    metadataProps: entries,
  },
  { requiredKeys: [] },
);

const model: fc.Arbitrary<ModelProto> = fc.record(
  {
    irVersion: int64,
    opsetImport: fc.array(opset, short),
    producerName: text,
    producerVersion: text,
    domain: text,
    modelVersion: int64,
    docString: text,
    graph,
    metadataProps: entries,
    functions: fc.array(functionProto, short),
  },
  { requiredKeys: [] },
);

describe('ONNX messages', () => {
  it('read back exactly as they were written, in every field', () => {
    fc.assert(
      fc.property(model, (message) => {
        const written = writeMessage(modelSchema, message);
        expect(readMessage(modelSchema, written)).toEqual({ ok: true, value: message });
      }),
      { numRuns: 30 },
    );
  });

  it('are written in the same bytes each time, in whatever order the fields were set', () => {
    fc.assert(
      fc.property(model, (message) => {
        const reversed: ModelProto = Object.fromEntries(Object.entries(message).reverse());
        expect(writeMessage(modelSchema, reversed)).toEqual(writeMessage(modelSchema, message));
      }),
      { numRuns: 10 },
    );
  });

  it.each(['zipmap', 'weights-as-inputs', 'nested', 'constants', 'external-data'])(
    'of the other implementation survive a round trip: %s',
    (name) => {
      const golden = readFileSync(new URL(`golden/${name}.onnx`, import.meta.url));
      const read = readMessage(modelSchema, golden);
      if (!read.ok) throw new Error(read.message);
      expect(read.value.producerName).toBe('golden');
      const rewritten = writeMessage(modelSchema, read.value);
      expect(readMessage(modelSchema, rewritten)).toEqual(read);
    },
  );

  it('take lists of numbers packed, one by one, and mixed', () => {
    const tensorWith = (fill: (writer: protobuf.Writer) => void): ModelProto => {
      const writer = new protobuf.Writer().uint32((7 << 3) | 2).fork();
      writer.uint32((5 << 3) | 2).fork();
      fill(writer);
      const result = readMessage(modelSchema, writer.ldelim().ldelim().finish());
      if (!result.ok) throw new Error(result.message);
      return result.value;
    };
    const packed = (writer: protobuf.Writer): unknown =>
      writer
        .uint32((1 << 3) | 2)
        .fork()
        .int64(-3)
        .int64(4)
        .ldelim();
    const single = (writer: protobuf.Writer): unknown => writer.uint32(1 << 3).int64(9007199254740991);
    const dims = tensorWith((writer) => {
      single(writer);
      packed(writer);
      single(writer);
    }).graph?.initializer?.[0]?.dims;
    expect(dims).toEqual(BigInt64Array.of(9007199254740991n, -3n, 4n, 9007199254740991n));
  });

  it('skip fields of newer versions', () => {
    const known = writeMessage(modelSchema, { irVersion: 13n });
    const unknown = new protobuf.Writer()
      .uint32((26 << 3) | 2)
      .string('device configuration')
      .finish();
    expect(readMessage(modelSchema, Buffer.concat([unknown, known]))).toEqual({
      ok: true,
      value: { irVersion: 13n },
    });
  });
});
