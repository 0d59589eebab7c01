/** What is told about models of this writer and of another one, also about those that are refused, and every reason why. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inspectOnnxModel, type ModelInspection } from '../../../registry-store/onnx/inspect-model.ts';
import type { TypeProto } from '../../../registry-store/onnx/model-proto.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import {
  GraphBuilder,
  mapType,
  sequenceType,
  tensorType,
  writeOnnxModel,
} from '../../../registry-store/onnx/write-model.ts';

function inspected(bytes: Uint8Array): ModelInspection {
  const result = inspectOnnxModel(bytes);
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return result.value;
}

function golden(name: string): ModelInspection {
  return inspected(readFileSync(new URL(`golden/${name}.onnx`, import.meta.url)));
}

/** Identities between these types. */
function identities(...types: readonly (readonly [TypeProto, TypeProto])[]): ModelInspection {
  const graph = new GraphBuilder('identities');
  for (const [index, [input, output]] of types.entries()) {
    graph.node('Identity', [graph.input(`x${index}`, input)], { outputs: [`y${index}`] });
    graph.output(`y${index}`, output);
  }
  return inspected(writeOnnxModel(graph));
}

const float = tensorType('FP32', ['batch', 4]);

describe('the facts of a model', () => {
  it('count operators in both branches of an If and in the body of a function, which is named itself', () => {
    const { operators, functions, opsets, irVersion, producer } = golden('nested');
    expect(operators.map(({ domain, name, count }) => [domain, name, count])).toEqual([
      ['ai.onnx', 'Add', 1],
      ['ai.onnx', 'If', 1],
      ['ai.onnx', 'Neg', 1],
      ['ai.onnx', 'Relu', 1],
    ]);
    expect(functions).toEqual(['local.Double']);
    expect([...opsets]).toEqual([
      ['ai.onnx', 17],
      ['local', 1],
    ]);
    expect({ irVersion, producer }).toEqual({ irVersion: 8, producer: 'golden 1.12' });
  });

  it('count parameters by type, constants among them, and name the largest by the value they give', () => {
    const { weights } = golden('constants');
    expect(weights).toMatchObject({ count: 9, sizeBytes: 3 * 8 + 4 * 4 + 3 });
    expect(weights.byType.map(({ type, count }) => [type, count])).toEqual([
      ['INT64', 3],
      ['FP32', 4],
      ['BYTES', 2],
    ]);
    expect(weights.largest.map(({ name }) => name)).toEqual(['ints', 'raw', 'text']);
  });

  it('name the five largest tensors of many', () => {
    const graph = new GraphBuilder('many');
    let value = graph.input('x', tensorType('FP32', ['batch', 1]));
    for (const width of [3, 9, 1, 7, 5, 8, 2]) {
      const zeros = tensor('FP32', [1, width], new Array<number>(width).fill(0));
      value = graph.node('Concat', [value, graph.constant(`w${width}`, zeros)]);
    }
    graph.output(value, tensorType('FP32', ['batch', 36]));
    const { largest } = inspected(writeOnnxModel(graph)).weights;
    expect(largest.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
      ['w9', 36],
      ['w8', 32],
      ['w7', 28],
      ['w5', 20],
      ['w3', 12],
    ]);
  });

  it('count what ai.onnx.ml operators keep in attributes apart', () => {
    expect(golden('zipmap').weights).toMatchObject({ count: 0, attributeValueCount: 10 });
  });

  it('show free dimensions by their name, and other kinds of values by what they are', () => {
    const kinds: readonly TypeProto[] = [
      tensorType('INT64', ['batch', 2, -1]),
      tensorType('FP32', []),
      tensorType('FP32'),
      sequenceType(mapType('INT64', tensorType('FP32', []))),
      { optionalType: { elemType: float } },
      { sparseTensorType: { elemType: 1, shape: {} } },
      { tensorType: { elemType: 17, shape: {} } },
      {},
    ];
    const { inputs } = identities(...kinds.map((kind) => [kind, kind] as const));
    expect(inputs.map(({ type, shape }) => [type, shape])).toEqual([
      ['INT64', ['batch', 2, null]],
      ['FP32', []],
      ['FP32', undefined],
      ['sequence(map(INT64, FP32))', undefined],
      ['optional(FP32)', undefined],
      ['sparse(FP32)', []],
      ['float8e4m3fn', []],
      ['undefined', undefined],
    ]);
  });

  it('name the files that hold tensors, and how long they must be', () => {
    expect(golden('external-data').externalFiles).toEqual([
      { location: 'weights.bin', tensorCount: 1, neededBytes: 16 },
    ]);
  });
});

describe('the judgement of a model', () => {
  it('has a description exactly when nothing is refused', () => {
    expect(golden('nested')).toMatchObject({ refusals: [], description: { parameterCount: 0 } });
    expect(golden('external-data').description).toBeUndefined();
  });

  it('has every reason, not only the first', () => {
    const half: TypeProto = { tensorType: { elemType: 16, shape: {} } };
    const { refusals } = identities([half, float], [float, sequenceType(float)], [float, tensorType('FP32')]);
    expect(refusals.map(({ code }) => code)).toEqual([
      'UNSUPPORTED_DATATYPE',
      'OUTPUT_NOT_TENSOR',
      'NO_SHAPE',
    ]);
  });

  it.each([
    { why: 'there is a scalar', output: tensorType('FP32', []), words: /"y0" is a scalar/ },
    {
      why: 'a batch is fixed',
      output: tensorType('FP32', [1, 4]),
      words: /"y0" has a first dimension of 1;/,
    },
    {
      why: 'two free dimensions have two names',
      output: tensorType('FP32', ['rows']),
      words: /"x0" counts "batch" in its first dimension and the output "y0" "rows"/,
    },
  ])('says why requests do not share runs: $why', ({ output, words }) => {
    expect(identities([float, output]).batchObstacle).toMatch(words);
  });

  it('has no reason where they can', () => {
    expect(identities([float, float]).batchObstacle).toBeUndefined();
  });

  it('quotes nothing that a terminal would obey', () => {
    const graph = new GraphBuilder('escape');
    const name = 'x\u001b[31m\u009b2J\u202e';
    graph.node('Identity', [graph.input(name, float)], { outputs: ['y'] });
    graph.output('y', sequenceType(float));
    const [first] = inspected(writeOnnxModel(graph)).refusals;
    expect(first?.code).toBe('INVALID_NAME');
    const foreign = new GraphBuilder('foreign');
    foreign.node(`Bad${name}`, [foreign.input('x', float)], { outputs: ['y'], domain: 'evil' });
    foreign.output('y', float);
    const { refusals } = inspected(writeOnnxModel(foreign));
    expect(refusals[0]?.message).toContain('"evil.Badx\ufffd[31m\ufffd2J\ufffd"');
  });
});
