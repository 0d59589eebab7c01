/** What is signed of a pipeline and read back, and which models can be one: their tensors, their wires, what callers send. */
import { describe, expect, it } from 'vitest';
import type { ModelSignature, VersionMetadata } from '../../../registry-store/main.ts';
import { FieldReader } from '../../../registry-store/manifest/field-reader.ts';
import { chainOf, evidentWires } from '../../../registry-store/manifest/model-chain.ts';
import {
  type Pipeline,
  type PipelineModel,
  isSamePipeline,
  pipelineJson,
  pipelineModelsMax,
  pipelineText,
  readPipeline,
} from '../../../registry-store/manifest/pipeline.ts';

type Tensors = ModelSignature['inputs'];

function version(
  name: string,
  [inputs, outputs]: readonly [Tensors, Tensors],
  more: Partial<Pick<VersionMetadata, 'state'>> & Partial<Pick<ModelSignature, 'batching'>> = {},
): VersionMetadata {
  const { state = [], batching = 'rows' } = more;
  return {
    ...{ name, version: '1', framework: '', author: '', description: '', createdAt: '' },
    ...{ metrics: new Map(), tags: [], stage: 'staged', published: { revision: 1, by: '', why: '' } },
    signature: { inputs, outputs, batching },
    state,
    onnx: { irVersion: 8, opsets: new Map(), parameterCount: 0, producer: '' },
    artifact: { path: `models/${name}/1/model.onnx`, lengthBytes: 1, sha256: '0'.repeat(64) },
  };
}

const image: Tensors = [{ name: 'image', datatype: 'UINT8', shape: [-1, 4] }];
const scaled: Tensors = [{ name: 'scaled', datatype: 'FP32', shape: [-1, 4] }];
const x: Tensors = [{ name: 'x', datatype: 'FP32', shape: [-1, -1] }];
const label: Tensors = [
  { name: 'label', datatype: 'INT64', shape: [-1] },
  { name: 'scores', datatype: 'FP32', shape: [-1, 3] },
];
const limit = { name: 'limit', datatype: 'FP32', shape: [-1, 1] } as const;
const scale = version('scale', [image, scaled]);
const main = version('main', [x, label]);
const top = version('top', [
  [{ name: 'scores', datatype: 'FP32', shape: [-1, 3] }, limit],
  [{ name: 'word', datatype: 'BYTES', shape: [-1] }],
]);

function part(model: string, ...wires: readonly string[]): PipelineModel {
  const ends = wires.map((wire) => {
    const [output = '', input = ''] = wire.split('=');
    return { output, input };
  });
  return { model, version: '1', sha256: '0'.repeat(64), wires: ends };
}

const pipeline: Pipeline = { before: [part('scale', 'scaled=x')], after: [part('top', 'scores=scores')] };

function chain(
  more: Partial<Pipeline>,
  versions: readonly VersionMetadata[] = [scale, top],
  deployed = main,
): ReturnType<typeof chainOf> {
  const whole = { before: [], after: [], ...more };
  return chainOf(whole, deployed, ({ model }) => versions.find(({ name }) => name === model));
}

describe('a signed pipeline', () => {
  it('is read back as it was', () => {
    const reader = new FieldReader(structuredClone(pipelineJson(pipeline)), 'it');
    expect(readPipeline(reader)).toEqual(pipeline);
    expect(reader.problem).toBeUndefined();
    expect(isSamePipeline(pipeline, readPipeline(reader))).toBe(true);
    expect(isSamePipeline(pipeline, { ...pipeline, before: [part('scale', 'scaled=y')] })).toBe(false);
    expect(isSamePipeline(pipeline, undefined)).toBe(false);
    const text = pipelineText(pipeline, { model: 'main', version: '2' });
    expect(text).toBe('scale@1 -> main@2 -> top@1');
  });

  it.each([
    ['no models', { before: [], after: [] }, 'it is empty'],
    ['one side missing', { before: [] }, 'after that is missing'],
    [
      'a digest that is none',
      { before: [{ ...part('a', 'y=x'), sha256: 'A'.repeat(64) }], after: [] },
      'sha256',
    ],
    [
      'a model that climbs',
      { before: [], after: [{ ...part('a', 'y=x'), model: '../a' }] },
      'model that does',
    ],
    [
      'wires that are words',
      { before: [{ ...part('a'), wires: ['y=x'] }], after: [] },
      'a wire is not an object',
    ],
    [
      'more models than may be',
      { before: Array(8).fill(part('a', 'y=x')), after: [part('a', 'y=x')] },
      `more than ${pipelineModelsMax} models`,
    ],
  ])('with %s is refused', (_, json, problem) => {
    const reader = new FieldReader(json, 'it');
    readPipeline(reader);
    expect(reader.problem).toContain(problem);
  });
});

describe('models that are one', () => {
  it('take what the first takes and what nobody gives the others, and give what the last gives', () => {
    const whole = chain(pipeline);
    expect(whole).toMatchObject({
      ok: true,
      value: {
        signature: { inputs: [...image, limit], outputs: top.signature.outputs, batching: 'rows' },
        models: [
          { version: scale, sources: [{ from: 'caller', index: 0 }] },
          { version: main, sources: [{ from: 'before', index: 0 }] },
          {
            version: top,
            sources: [
              { from: 'before', index: 1 },
              { from: 'caller', index: 1 },
            ],
          },
        ],
      },
    });
  });

  it('share runs only where each of them does', () => {
    const alone = version('scale', [image, scaled], { batching: 'none' });
    expect(chain(pipeline, [alone, top])).toMatchObject({ value: { signature: { batching: 'none' } } });
  });

  const [wrongType] = [version('scale', [image, [{ ...scaled[0]!, datatype: 'FP16' }]])];
  const fixed = version('main', [[{ ...x[0]!, shape: [-1, 5] }], label]);
  it.each<[string, Partial<Pipeline>, string, (readonly VersionMetadata[])?, VersionMetadata?]>([
    ['one that is not there', { before: [part('none', 'y=x')] }, 'none 1 is not in the store.'],
    [
      'an output that is not there',
      { before: [part('scale', 'y=x')] },
      'scale 1 has no output y. It has: scaled.',
    ],
    [
      'an input that is not there',
      { before: [part('scale', 'scaled=z')] },
      'main 1 has no input z. It has: x.',
    ],
    ['no wires', { before: [part('scale')] }, 'Nothing goes from scale 1 to main 1.'],
    ['one input twice', { before: [part('scale', 'scaled=x', 'scaled=x')] }, 'x of main 1 is wired twice'],
    [
      'another datatype',
      pipeline,
      'scaled of scale 1 is FP16 [-1,4], and the input x of main 1 takes FP32',
      [wrongType, top],
    ],
    ['another size', { before: [part('scale', 'scaled=x')] }, 'takes FP32 [-1,5]', [scale], fixed],
    ['another rank', { after: [part('top', 'label=scores')] }, 'label of main 1 is INT64 [-1]'],
    [
      'two inputs of one name',
      { after: [part('top', 'scores=limit')] },
      'main 1 is FP32 [-1,3], and the input limit',
    ],
    [
      'inputs of one name that callers would send',
      { before: [part('top', 'word=text')], after: [] },
      'Two models would take an input limit from callers, one of them main 1.',
      [top],
      version('main', [[{ name: 'text', datatype: 'BYTES', shape: [-1] }, limit], label]),
    ],
    [
      'state',
      pipeline,
      'scale 1 has state',
      [version('scale', [image, scaled], { state: [{ input: 'image', output: 'scaled', shape: [] }] }), top],
    ],
    [
      'too many',
      { before: Array(9).fill(part('scale', 'scaled=x')) },
      'beside the deployed one at most, not 9',
    ],
  ])('cannot be with %s', (_, more, message, versions, deployed) => {
    expect(chain(more, versions, deployed)).toEqual({
      ok: false,
      message: expect.stringContaining(message) as unknown,
    });
  });
});

describe('wires that nobody names', () => {
  it.each<[string, Tensors, Tensors, readonly string[] | undefined]>([
    ['go by name where there is one', label, top.signature.inputs, ['scores=scores']],
    ['lead from the only output to the only input', scaled, x, ['scaled=x']],
    ['are not guessed among several outputs', label, x, undefined],
    ['are not guessed among several inputs', scaled, [...x, limit], undefined],
  ])('%s', (_, outputs, inputs, wires) => {
    const found = evidentWires(
      { inputs: [], outputs, batching: 'rows' },
      { inputs, outputs: [], batching: 'rows' },
    );
    expect(found?.map(({ output, input }) => `${output}=${input}`)).toEqual(wires);
  });
});
