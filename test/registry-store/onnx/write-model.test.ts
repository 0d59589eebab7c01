/** The runtime is the judge here: what the writer writes must load and give the values that went in. */
import * as ort from 'onnxruntime-web';
import { beforeAll, describe, expect, it } from 'vitest';
import { datatypes } from '../../../registry-store/manifest/signature.ts';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';
import { elementTypeBytes } from '../../../registry-store/onnx/element-type.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';

beforeAll(() => {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
});

async function run(
  model: Uint8Array,
  feeds: Record<string, ort.Tensor>,
): Promise<Record<string, ort.Tensor>> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  try {
    return { ...(await session.run(feeds)) };
  } finally {
    await session.release();
  }
}

const batchOf4 = tensorType('FP32', ['batch', 4]);
const x = new ort.Tensor('float32', [1, -2, 3, -4], [1, 4]);

describe('the model writer', () => {
  it.each(datatypes)('writes constants of %s that the runtime reads as they were', async (datatype) => {
    const graph = new GraphBuilder('constants');
    const elements = datatype === 'BYTES' ? ['a', 'ä', ''] : [0, 1, 1];
    graph.node('Identity', [graph.constant('c', tensor(datatype, [3], elements))], { outputs: ['y'] });
    graph.node('Identity', [graph.input('x', batchOf4)], { outputs: ['z'] });
    graph.output('y', tensorType(datatype, [3]));
    graph.output('z', batchOf4);
    const { y } = await run(writeOnnxModel(graph), { x });
    expect(Array.from(y?.data as ArrayLike<unknown>, String)).toEqual(elements.map(String));
  });

  it.each(datatypes)('writes an identity of %s that describes itself and runs', async (datatype) => {
    const graph = new GraphBuilder('identity');
    graph.node('Identity', [graph.input('x', tensorType(datatype, ['batch', 2]))], { outputs: ['y'] });
    graph.output('y', tensorType(datatype, ['batch', 2]));
    const model = writeOnnxModel(graph);
    expect(describeOnnxModel(model)).toMatchObject({
      ok: true,
      value: { signature: { inputs: [{ name: 'x', datatype, shape: [-1, 2] }], batching: 'rows' } },
    });
    const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
    expect(session.outputNames).toEqual(['y']);
    await session.release();
  });

  it('writes attributes of every kind', async () => {
    const graph = new GraphBuilder('attributes');
    const input = graph.input('x', batchOf4);
    const leaky = graph.node('LeakyRelu', [input], { attributes: { alpha: { float: 0.5 } } });
    const turned = graph.node('Transpose', [leaky], { attributes: { perm: { ints: [1, 0] } } });
    const back = graph.node('Transpose', [turned], { attributes: { perm: { ints: [1n, 0n] } } });
    const ones = graph.node('Constant', [], {
      attributes: { value: { tensor: tensor('FP32', [4], [1, 1, 1, 1]) } },
    });
    const twos = graph.node('Constant', [], { attributes: { value_floats: { floats: [2, 2, 2, 2] } } });
    const sum = graph.node('Sum', [back, ones, twos]);
    const yes = graph.node('Constant', [], { attributes: { value: { tensor: tensor('BOOL', [], [1]) } } });
    const branch = (name: string, operator: string): GraphBuilder => {
      const inner = new GraphBuilder(name);
      inner.node(operator, [sum], { outputs: [name] });
      inner.output(name, batchOf4);
      return inner;
    };
    graph.node('If', [yes], {
      outputs: ['y'],
      attributes: {
        then_branch: { graph: branch('same', 'Identity') },
        else_branch: { graph: branch('negative', 'Neg') },
      },
    });
    graph.node('Cast', [input], { outputs: ['i'], attributes: { to: { int: 7 } } });
    graph.node('Constant', [], { outputs: ['t'], attributes: { value_strings: { texts: ['a', 'ä'] } } });
    graph.node('DepthToSpace', [graph.input('p', tensorType('FP32', ['batch', 4, 1, 1]))], {
      outputs: ['d'],
      attributes: { blocksize: { int: 2 }, mode: { text: 'CRD' } },
    });
    graph.output('y', batchOf4);
    graph.output('i', tensorType('INT64', ['batch', 4]));
    graph.output('t', tensorType('BYTES', [2]));
    graph.output('d', tensorType('FP32', ['batch', 1, 2, 2]));
    const p = new ort.Tensor('float32', [1, 2, 3, 4], [1, 4, 1, 1]);
    const { y, i, t, d } = await run(writeOnnxModel(graph), { x, p });
    expect(y?.data).toEqual(Float32Array.of(4, 2, 6, 1));
    expect(i?.data).toEqual(BigInt64Array.of(1n, -2n, 3n, -4n));
    expect(t?.data).toEqual(['a', 'ä']);
    expect(d?.data).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  it('writes other operator sets, metadata and omitted inputs', async () => {
    const graph = new GraphBuilder('scaler');
    const clipped = graph.node('Clip', [
      graph.input('x', batchOf4),
      '',
      graph.constant('max', tensor('FP32', [], [2])),
    ]);
    graph.node('Scaler', [clipped], {
      outputs: ['y'],
      domain: 'ai.onnx.ml',
      attributes: { offset: { floats: [1] }, scale: { floats: [10] } },
    });
    graph.output('y', batchOf4);
    const model = writeOnnxModel(graph, {
      opsets: { 'ai.onnx.ml': 3 },
      metadata: { author: 'me' },
      producer: 'test',
    });
    expect(describeOnnxModel(model)).toMatchObject({
      value: {
        opsets: { '': 17, 'ai.onnx.ml': 3 },
        operators: ['Clip', 'ai.onnx.ml.Scaler'],
        producer: 'test',
      },
    });
    const { y } = await run(model, { x });
    expect(y?.data).toEqual(Float32Array.of(0, -30, 10, -50));
  });

  it('gives the same bytes for the same calls', () => {
    const build = (): Uint8Array => {
      const graph = new GraphBuilder('same');
      graph.node('Relu', [graph.input('x', batchOf4)], { outputs: ['y'] });
      graph.output('y', batchOf4);
      return writeOnnxModel(graph);
    };
    expect(build()).toEqual(build());
  });

  it('stores elements in little-endian raw data of their own size', () => {
    for (const datatype of datatypes.filter((each) => each !== 'BYTES')) {
      const raw = tensor(datatype, [2], [1, 1]).rawData;
      expect(raw?.length).toBe(2 * elementTypeBytes(datatype));
    }
    expect(tensor('UINT32', [], [0x01020304]).rawData).toEqual(Uint8Array.of(4, 3, 2, 1));
    expect(tensor('INT64', [1], [-2n]).rawData).toEqual(
      Uint8Array.of(254, 255, 255, 255, 255, 255, 255, 255),
    );
  });

  it('refuses a tensor whose shape and elements differ', () => {
    expect(() => tensor('FP32', [2, 2], [1, 2, 3])).toThrow('shape [2, 2] has 4 elements, not 3');
  });
});
