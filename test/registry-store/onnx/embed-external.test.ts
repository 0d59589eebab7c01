/** Models with tensors in other files become one file that says the same, wherever the tensors are in them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeOnnxModel } from '../../../registry-store/onnx/describe-model.ts';
import { embedExternalData } from '../../../registry-store/onnx/embed-external.ts';
import type { ModelProto, TensorProto } from '../../../registry-store/onnx/model-proto.ts';
import { modelSchema } from '../../../registry-store/onnx/model-schema.ts';
import { readMessage } from '../../../registry-store/onnx/read-message.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { writeMessage } from '../../../registry-store/onnx/write-message.ts';

/** The bytes of the other file, grown by every tensor that is moved out. */
class OtherFile {
  readonly location: string;
  bytes = new Uint8Array([0xaa, 0xbb, 0xcc]);

  constructor(location: string) {
    this.location = location;
  }

  hold({ rawData = new Uint8Array(), ...rest }: TensorProto): TensorProto {
    const offset = this.bytes.length;
    this.bytes = Uint8Array.from([...this.bytes, ...rawData]);
    const externalData = [
      { key: 'location', value: this.location },
      { key: 'offset', value: String(offset) },
      { key: 'length', value: String(rawData.length) },
    ];
    return { ...rest, externalData, dataLocation: 1 };
  }
}

/** Weights of the graph, of a subgraph, and in an attribute; `place` says where each one is kept. */
function model(place: (tensor: TensorProto) => TensorProto): Uint8Array {
  const branch = (name: string, factor: number): GraphBuilder => {
    const inner = new GraphBuilder(name);
    inner.constant(`${name}_w`, place(tensor('FP32', [2], [factor, -factor])));
    inner.node('Mul', ['x', `${name}_w`], { outputs: [`${name}_y`] });
    inner.output(`${name}_y`, tensorType('FP32', ['batch', 2]));
    return inner;
  };
  const graph = new GraphBuilder('outer');
  const x = graph.input('x', tensorType('FP32', ['batch', 2]));
  const bias = graph.constant('bias', place(tensor('FP32', [2], [0.5, 0.25])));
  graph.constant('inside', tensor('INT64', [1], [7]));
  const flag = graph.node('Constant', [], {
    outputs: ['flag'],
    attributes: { value: { tensor: place(tensor('BOOL', [], [1])) } },
  });
  const chosen = graph.node('If', [flag], {
    attributes: { then_branch: { graph: branch('then', 3) }, else_branch: { graph: branch('else', 5) } },
  });
  graph.node('Add', [chosen, bias], { outputs: ['y'] });
  graph.node('Identity', [x], { outputs: ['same'] });
  graph.output('y', tensorType('FP32', ['batch', 2]));
  return writeOnnxModel(graph);
}

function proto(bytes: Uint8Array): ModelProto {
  const read = readMessage(modelSchema, bytes);
  if (!read.ok) throw new Error(read.message);
  return read.value;
}

function embedded(bytes: Uint8Array, files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const result = embedExternalData(bytes);
  if (!result.ok) throw new Error(result.message);
  for (const { location, offset, lengthBytes, at } of result.value.spans) {
    result.value.bytes.set(files.get(location)!.subarray(offset, offset + lengthBytes), at);
  }
  return result.value.bytes;
}

describe('embedExternalData', () => {
  it('gives the model back that never had other files', () => {
    const file = new OtherFile('weights.bin');
    const external = model((each) => file.hold(each));
    expect(describeOnnxModel(external)).toMatchObject({ ok: false, code: 'EXTERNAL_DATA' });
    const whole = embedded(external, new Map([[file.location, file.bytes]]));
    expect(proto(whole)).toEqual(proto(model((each) => each)));
    expect(describeOnnxModel(whole)).toMatchObject({ ok: true });
  });

  it('leaves a model without other files as it is, byte for byte', () => {
    const inline = model((each) => each);
    expect(embedded(inline, new Map())).toEqual(inline);
  });

  it('keeps fields that no schema here knows', () => {
    const file = new OtherFile('w');
    const unknown = Uint8Array.from([0xfa, 0x3f, 2, 9, 9]); // field 1023, two bytes
    const external = Uint8Array.from([...model((each) => file.hold(each)), ...unknown]);
    const whole = embedded(external, new Map([['w', file.bytes]]));
    expect([...whole.subarray(-unknown.length)]).toEqual([...unknown]);
  });

  it('embeds what the library of the ONNX project wrote, without offset and length', () => {
    const golden = readFileSync(new URL('golden/external-data.onnx', import.meta.url));
    const weights = new Uint8Array(new Float32Array([1, 1, 1, 1]).buffer);
    const whole = embedded(golden, new Map([['weights.bin', weights]]));
    expect(proto(whole).graph?.initializer?.[0]).toMatchObject({ name: 'w', rawData: weights });
  });

  it.each([
    ['an offset below zero', { offset: '-4' }],
    ['an offset that is no number', { offset: '0x10' }],
    ['a length that is not that of the shape', { length: '4' }],
  ])('refuses %s', (_, changed) => {
    const entries = { location: 'w', offset: '0', length: '8', ...changed };
    const bad = model(({ dims, dataType }) => ({
      ...(dims !== undefined && { dims }),
      ...(dataType !== undefined && { dataType }),
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
      dataLocation: 1,
    }));
    expect(embedExternalData(bad)).toMatchObject({ ok: false, code: 'EXTERNAL_DATA' });
  });

  it('refuses what would be larger than a model may be before it makes room for it', () => {
    const graph = { initializer: [{ dims: BigInt64Array.from([2n ** 29n]), dataType: 1, dataLocation: 1 }] };
    const huge = writeMessage(modelSchema, { irVersion: 8n, graph, opsetImport: [{ version: 17n }] });
    expect(embedExternalData(huge)).toMatchObject({ ok: false, code: 'TOO_LARGE' });
  });
});
