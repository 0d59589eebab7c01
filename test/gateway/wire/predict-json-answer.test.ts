/** Answers in the plain prediction format: which output stands where, and how it is nested. */
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import type { InferReply, OutputColumn } from '../../../gateway/wire/infer-request.ts';
import { encodePredict } from '../../../gateway/wire/predict-json.ts';

const label: OutputColumn = {
  name: 'label',
  datatype: 'INT64',
  rowShape: [],
  rowElements: 1,
  data: BigInt64Array.of(9n, 0n, 2n),
};
const scores: OutputColumn = {
  name: 'probabilities',
  datatype: 'FP32',
  rowShape: [2],
  rowElements: 2,
  data: Float32Array.of(9, 9, 0.9, 0.1, 0.25, 0.75),
};

function answer(columns: readonly OutputColumn[], change: Partial<InferReply> = {}): unknown {
  const writer = new ByteWriter(16);
  const reply = {
    id: undefined,
    modelName: 'm',
    modelVersion: '1.0.0',
    columns,
    batched: true,
    rowStart: 1,
    rows: 2,
    options: undefined,
  };
  encodePredict({ ...reply, ...change }, writer);
  return JSON.parse(Buffer.from(writer.bytes()).toString());
}

describe('answers', () => {
  it('give prediction, probabilities and version for the rows of the request', () => {
    const expected = {
      prediction: [0, 2],
      probabilities: [
        [0.9, 0.1],
        [0.25, 0.75],
      ],
      model_version: '1.0.0',
    };
    expect(answer([label, scores])).toEqual(expected);
    expect(answer([scores, label])).toEqual(expected);
  });

  it('give the output whose name says prediction, even if it holds floats', () => {
    const named = { ...scores, name: 'prediction' };
    expect(answer([{ ...label, name: 'count' }, named])).toEqual({
      prediction: [
        [0.9, 0.1],
        [0.25, 0.75],
      ],
      outputs: { count: [0, 2] },
      model_version: '1.0.0',
    });
  });

  it('without telling names give the first integers as prediction and the first table of floats as probabilities', () => {
    const one = { ...scores, name: 'one', rowShape: [], rowElements: 1 };
    expect(answer([one, { ...scores, name: 'two' }, { ...label, name: 'three' }])).toEqual({
      prediction: [0, 2],
      probabilities: [
        [0.9, 0.1],
        [0.25, 0.75],
      ],
      outputs: { one: [9, expect.closeTo(0.9)] },
      model_version: '1.0.0',
    });
  });

  it('give the only output as prediction, nested row by row', () => {
    const image = { ...scores, name: 'image', rowShape: [1, 2, 1] };
    expect(answer([image])).toEqual({
      prediction: [[[[expect.closeTo(0.9)], [expect.closeTo(0.1)]]], [[[0.25], [0.75]]]],
      model_version: '1.0.0',
    });
  });

  it('give strings and booleans as they are', () => {
    const flags: OutputColumn = { ...label, name: 'f', datatype: 'BOOL', data: Uint8Array.of(0, 1, 0) };
    const texts: OutputColumn = { ...label, name: 'class', datatype: 'BYTES', data: ['x', 'é"', 'b'] };
    expect(answer([flags, texts])).toEqual({
      prediction: ['é"', 'b'],
      outputs: { f: [true, false] },
      model_version: '1.0.0',
    });
  });

  it('of a model without a batch dimension have its whole shape', () => {
    const table = { ...scores, rowShape: [3, 2], rowElements: 6 };
    const one = { ...label, rowShape: [] };
    expect(answer([one, table], { batched: false, rowStart: 0, rows: 1 })).toEqual({
      prediction: 9,
      probabilities: [
        [9, 9],
        [expect.closeTo(0.9), expect.closeTo(0.1)],
        [0.25, 0.75],
      ],
      model_version: '1.0.0',
    });
  });

  it('of nothing are still JSON', () => {
    expect(answer([])).toEqual({ model_version: '1.0.0' });
    expect(answer([label], { rows: 0 })).toEqual({ prediction: [], model_version: '1.0.0' });
  });
});
