/** What is read from good models, of this writer and of another one, and why each kind of bad one is refused. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';
import type {
  DescribeOptions,
  OnnxDescription,
  OnnxRefusal,
} from '../../../registry-store/onnx/describe-model.ts';
import { elementTypeCode } from '../../../registry-store/onnx/element-type.ts';
import type { ModelProto, TensorProto, TypeProto } from '../../../registry-store/onnx/model-proto.ts';
import { modelSchema } from '../../../registry-store/onnx/model-schema.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import {
  GraphBuilder,
  mapType,
  sequenceType,
  tensorType,
  writeOnnxModel,
} from '../../../registry-store/onnx/write-model.ts';
import { writeMessage } from '../../../registry-store/onnx/write-message.ts';

function golden(name: string): Uint8Array {
  return readFileSync(new URL(`golden/${name}.onnx`, import.meta.url));
}

function described(bytes: Uint8Array, options?: DescribeOptions): OnnxDescription {
  const result = describeOnnxModel(bytes, options);
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.value;
}

/** An Identity model with the given types. */
function identity(input: TypeProto, output: TypeProto = input): Uint8Array {
  const graph = new GraphBuilder('identity');
  graph.node('Identity', [graph.input('x', input)], { outputs: ['y'] });
  graph.output('y', output);
  return writeOnnxModel(graph);
}

function withModel(change: (model: ModelProto) => ModelProto): Uint8Array {
  const graph = {
    input: [{ name: 'x', type: tensorType('FP32', ['batch']) }],
    output: [{ name: 'y', type: tensorType('FP32', ['batch']) }],
  };
  return writeMessage(modelSchema, change({ irVersion: 8n, opsetImport: [{ version: 17n }], graph }));
}

describe('the description of a model', () => {
  it('has the signature, the operators and the size of a model of another exporter', () => {
    expect(described(golden('nested'))).toEqual({
      signature: {
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [-1, 2] },
          { name: 'flag', datatype: 'BOOL', shape: [] },
        ],
        outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
        batching: 'none',
      },
      irVersion: 8,
      opsets: { '': 17, local: 1 },
      // Of both branches and of the function's body; the call of the function is not an operator.
      operators: ['Add', 'If', 'Neg', 'Relu'],
      parameterCount: 0,
      producer: 'golden 1.12',
    });
  });

  it('leaves weights that are listed among the inputs out of the signature', () => {
    const { signature, parameterCount, irVersion } = described(golden('weights-as-inputs'));
    expect(signature.inputs).toEqual([{ name: 'x', datatype: 'FP32', shape: [-1, 2] }]);
    expect(signature.batching).toBe('rows');
    expect(parameterCount).toBe(6);
    expect(irVersion).toBe(3);
  });

  it('counts tensors in attributes as parameters, however they are stored', () => {
    expect(described(golden('constants')).parameterCount).toBe(4 + 3 + 2);
  });

  it('counts the values of sparse weights, and does not take them for inputs', () => {
    const values = tensor('FP32', [2], [1, 2]);
    const file = withModel((model) => ({
      ...model,
      graph: {
        ...model.graph,
        input: [...(model.graph?.input ?? []), { name: 'w', type: tensorType('FP32', [3]) }],
        sparseInitializer: [{ values: { ...values, name: 'w' }, indices: tensor('INT64', [2], [0, 2]) }],
      },
    }));
    expect(described(file).parameterCount).toBe(2);
    expect(described(file).signature.inputs.map((input) => input.name)).toEqual(['x']);
  });

  it('spells the standard operator set one way', () => {
    const file = withModel((model) => ({
      ...model,
      opsetImport: [{ domain: 'ai.onnx', version: 13n }, { version: 9n }],
    }));
    expect(described(file).opsets).toEqual({ '': 13 });
  });

  it('takes negative sizes for any size, and zero for what it says', () => {
    const shape = { dim: [{ dimValue: -1n }, { dimValue: 0n }, {}, { dimParam: 'n' }, { dimValue: 7n }] };
    const file = identity({ tensorType: { elemType: elementTypeCode('INT8'), shape } });
    expect(described(file).signature.inputs[0]?.shape).toEqual([-1, 0, -1, -1, 7]);
  });

  it.each([
    ['rows', 'one name for all', ['batch', 3], ['batch']],
    ['rows', 'unnamed dimensions', [-1, 3], [-1]],
    ['rows', 'a name and an unnamed dimension', ['N', 'M'], [-1, 'M']],
    ['none', 'two names', ['batch', 3], ['rows']],
    ['none', 'a fixed batch', [1, 3], [1]],
    ['none', 'an output without the batch', ['batch', 3], [3]],
    ['none', 'a scalar', ['batch'], []],
  ] as const)('says batching %s for %s', (batching, _, input, output) => {
    expect(
      described(identity(tensorType('FP32', input), tensorType('FP32', output))).signature.batching,
    ).toBe(batching);
  });

  it('allows a foreign domain when told to', () => {
    const graph = new GraphBuilder('gelu');
    graph.node('Gelu', [graph.input('x', tensorType('FP32', ['batch']))], {
      outputs: ['y'],
      domain: 'com.microsoft',
    });
    graph.output('y', tensorType('FP32', ['batch']));
    const file = writeOnnxModel(graph, { opsets: { 'com.microsoft': 1 } });
    expect(describeOnnxModel(file)).toMatchObject({ ok: false, code: 'DISALLOWED_DOMAIN' });
    expect(described(file, { allowDomains: ['com.microsoft'] }).operators).toEqual(['com.microsoft.Gelu']);
  });

  it('accepts an import of a foreign operator set that no node uses', () => {
    const file = withModel((model) => ({
      ...model,
      opsetImport: [{ version: 17n }, { domain: 'com.microsoft', version: 1n }],
    }));
    expect(described(file).opsets).toEqual({ '': 17, 'com.microsoft': 1 });
  });
});

function graphWith(change: Partial<NonNullable<ModelProto['graph']>>): Uint8Array {
  return withModel((model) => ({ ...model, graph: { ...model.graph, ...change } }));
}

const float = tensorType('FP32', ['batch']);
const huge: TensorProto = { dims: BigInt64Array.of(2n ** 40n, 2n ** 40n), dataType: 1 };

const refusals: readonly (readonly [OnnxRefusal, string, Uint8Array])[] = [
  ['NOT_ONNX', 'an empty file', new Uint8Array(0)],
  ['NOT_ONNX', 'a text', new TextEncoder().encode('{"model": "iris"}')],
  [
    'NOT_ONNX',
    'a file without a graph',
    writeMessage(modelSchema, { irVersion: 8n, opsetImport: [{ version: 17n }] }),
  ],
  ['NOT_ONNX', 'a file without operator sets', withModel((model) => ({ ...model, opsetImport: [] }))],
  ['NOT_ONNX', 'a file without an IR version', withModel((model) => ({ ...model, irVersion: 0n }))],
  ['NOT_ONNX', 'a weight of negative size', graphWith({ initializer: [{ dims: BigInt64Array.of(-1n) }] })],
  ['TOO_LARGE', 'a weight of more elements than a file can hold', graphWith({ initializer: [huge] })],
  ['TOO_LARGE', 'a dimension beyond 2^31', identity(tensorType('FP32', [2 ** 31]))],
  ['TOO_LARGE', 'seventeen dimensions', identity(tensorType('FP32', new Array<number>(17).fill(1)))],
  ['NO_INPUTS', 'a graph of constants only', graphWith({ input: [] })],
  ['NO_OUTPUTS', 'a graph without outputs', graphWith({ output: [] })],
  ['INVALID_NAME', 'an input without a name', graphWith({ input: [{ type: float }] })],
  ['INVALID_NAME', 'a name with a line break', graphWith({ input: [{ name: 'x\n', type: float }] })],
  [
    'INVALID_NAME',
    'two outputs of one name',
    graphWith({
      output: [
        { name: 'y', type: float },
        { name: 'y', type: float },
      ],
    }),
  ],
  ['INPUT_NOT_TENSOR', 'an input that is a sequence', identity(sequenceType(float), float)],
  ['INPUT_NOT_TENSOR', 'an input without a type', graphWith({ input: [{ name: 'x' }] })],
  ['OUTPUT_NOT_TENSOR', 'an output of two types', identity(float, { ...float, ...sequenceType(float) })],
  ['OUTPUT_NOT_TENSOR', 'an output that is a map', identity(float, mapType('BYTES', float))],
  ['OUTPUT_NOT_TENSOR', 'an optional output', identity(float, { optionalType: { elemType: float } })],
  ['UNSUPPORTED_DATATYPE', 'bfloat16', identity({ tensorType: { elemType: 16, shape: {} } })],
  ['NO_SHAPE', 'an output of unknown rank', identity(float, tensorType('FP32'))],
  ['EXTERNAL_DATA', 'weights in another file', golden('external-data')],
];

describe('a model is refused', () => {
  it.each(refusals)('as %s: %s', (code, _, bytes) => {
    expect(describeOnnxModel(bytes)).toMatchObject({ ok: false, code });
  });

  it('as TOO_LARGE when the file is, before it is read', () => {
    expect(describeOnnxModel(golden('nested'), { bytesMax: 100 })).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('with advice when scikit-learn left a ZipMap at the end', () => {
    const result = describeOnnxModel(golden('zipmap'));
    expect(result).toMatchObject({ ok: false, code: 'OUTPUT_NOT_TENSOR' });
    if (!result.ok) expect(result.message).toContain("options={id(model): {'zipmap': False}}");
  });
});
