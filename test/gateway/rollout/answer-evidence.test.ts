/** What is read off an answer: finiteness of all its own rows, and the prediction of its first. */
import { describe, expect, test } from 'vitest';
import { answerEvidence } from '../../../gateway/rollout/answer-evidence.ts';
import type { InferReply, OutputColumn } from '../../../gateway/wire/infer-request.ts';
import { numberToHalf } from '../../../runtime/tensor/half-float.ts';

function column(
  datatype: OutputColumn['datatype'],
  rowElements: number,
  data: OutputColumn['data'],
): OutputColumn {
  return { name: 'y', datatype, rowShape: [rowElements], rowElements, data };
}

function reply(columns: readonly OutputColumn[], rowStart = 0, rows = 1): InferReply {
  return {
    id: undefined,
    modelName: 'm',
    modelVersion: '1',
    columns,
    batched: true,
    rowStart,
    rows,
    options: undefined,
  };
}

describe('what is predicted', () => {
  test('is the label where there is one', () => {
    const label = column('INT64', 1, BigInt64Array.of(7n, 2n));
    const scores = column('FP32', 3, Float32Array.of(1, 0, 0, 1, 0, 0));
    expect(answerEvidence(reply([label, scores], 1))).toMatchObject({ predictedClass: 2, score: undefined });
  });

  test('or the largest score of the first own row', () => {
    const scores = column('FP32', 3, Float32Array.of(1, 0, 0, 0.1, NaN, 0.9, 5, 0, 0));
    expect(answerEvidence(reply([scores], 1, 2)).predictedClass).toBe(2);
  });

  test('or a single number', () => {
    const score = column('FP64', 1, Float64Array.of(0.25, 4.5));
    expect(answerEvidence(reply([score], 1))).toEqual({
      isFinite: true,
      predictedClass: undefined,
      score: 4.5,
    });
  });

  test('or nothing, in texts and in rows of whole numbers', () => {
    const texts = column('BYTES', 1, ['a', 'b']);
    const tokens = column('INT32', 3, Int32Array.of(1, 2, 3));
    expect(answerEvidence(reply([texts, tokens]))).toEqual({
      isFinite: true,
      predictedClass: undefined,
      score: undefined,
    });
  });
});

describe('what is not finite', () => {
  test.each([
    ['FP32', Float32Array.of(0, NaN, 0, 0)],
    ['FP64', Float64Array.of(0, 0, 0, -Infinity)],
    ['FP16', Uint16Array.of(0, 0, numberToHalf(Infinity), 0)],
  ] as const)('is seen in %s', (datatype, data) => {
    expect(answerEvidence(reply([column(datatype, 2, data)], 0, 2)).isFinite).toBe(false);
  });

  test('is that of others in the batch only', () => {
    const scores = column('FP32', 2, Float32Array.of(NaN, 0, 1, 2, Infinity, 0));
    expect(answerEvidence(reply([scores], 1)).isFinite).toBe(true);
  });
});
