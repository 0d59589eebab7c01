/** Two answers to one request, compared: what counts as saying the same, and that nothing is counted twice. */
import { describe, expect, test } from 'vitest';
import {
  type ComparisonCounts,
  comparePair,
  keepOutputs,
  type KeptOutput,
  noComparisons,
} from '../../../gateway/rollout/output-comparison.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { numberToHalf } from '../../../runtime/tensor/half-float.ts';

function output(datatype: Datatype, rowElements: number, data: KeptOutput['data']): KeptOutput {
  return { name: 'y', datatype, rowShape: [rowElements], rowElements, data };
}

function compared(stable: KeptOutput, candidate: KeptOutput): ComparisonCounts {
  const counts = noComparisons();
  comparePair(counts, [stable], [candidate]);
  return counts;
}

const scores = (...values: number[]): KeptOutput => output('FP32', 3, Float32Array.from(values));

describe('a pair of answers', () => {
  test('agrees in a row of scores when the largest is at the same place', () => {
    const counts = compared(scores(0.1, 0.7, 0.2, 0.9, 0.1, 0), scores(0.3, 0.4, 0.3, 0.2, 0.5, 0.3));
    expect(counts).toMatchObject({ pairs: 1, rows: 2, rowsAgreeing: 1 });
    expect(counts.differenceMax).toBeCloseTo(0.7, 6);
  });

  test('agrees in single numbers within a thousandth', () => {
    const one = output('FP64', 1, Float64Array.of(1000, 1000, 0));
    const other = output('FP64', 1, Float64Array.of(1000.9, 1002, 0));
    expect(compared(one, other)).toMatchObject({ rows: 3, rowsAgreeing: 2, differenceMax: 2 });
  });

  test.each<[string, KeptOutput, KeptOutput]>([
    [
      'whole numbers',
      output('INT64', 1, BigInt64Array.of(1n, 2n)),
      output('INT64', 1, BigInt64Array.of(1n, 3n)),
    ],
    ['strings', output('BYTES', 1, ['a', 'b']), output('BYTES', 1, ['a', 'c'])],
    [
      'rows of whole numbers',
      output('INT32', 2, Int32Array.of(1, 2, 3, 4)),
      output('INT32', 2, Int32Array.of(1, 2, 4, 3)),
    ],
  ])('agrees in %s only where they are equal', (_, one, other) => {
    expect(compared(one, other)).toMatchObject({ rows: 2, rowsAgreeing: 1 });
  });

  test('reads half floats as the numbers they are', () => {
    const half = (value: number): KeptOutput => output('FP16', 1, Uint16Array.of(numberToHalf(value)));
    expect(compared(half(1), half(-1))).toMatchObject({ rowsAgreeing: 0, differenceMax: 2 });
  });

  test('has a row that is not finite only when the candidate alone made it so', () => {
    const bad = scores(Number.NaN, 0, 0, Number.POSITIVE_INFINITY, 0, 0);
    expect(compared(scores(1, 2, 3, 4, 5, 6), bad)).toMatchObject({ rowsNotFinite: 2, rowsAgreeing: 0 });
    expect(compared(bad, bad)).toMatchObject({ rowsNotFinite: 0 });
  });

  test('counts how many of the five largest both have', () => {
    const wide = (values: number[]): KeptOutput => output('FP32', 8, Float32Array.from(values));
    const counts = compared(wide([8, 7, 6, 5, 4, 3, 2, 1]), wide([8, 7, 6, 5, 1, 2, 3, 4.5]));
    expect(counts).toMatchObject({ rowsRanked: 1, topShared: 4, rowsAgreeing: 1 });
  });

  test.each([
    ['another datatype', output('FP64', 3, Float64Array.of(1, 2, 3))],
    ['other rows', scores(1, 2, 3, 4, 5, 6)],
    ['another name', { ...scores(1, 2, 3), name: 'z' }],
  ])('is unlike for %s', (_, other) => {
    expect(compared(scores(1, 2, 3), other)).toMatchObject({ pairs: 1, pairsUnlike: 1, rows: 0 });
  });

  test('is unlike for a missing output', () => {
    const counts = noComparisons();
    comparePair(counts, [scores(1, 2, 3)], []);
    expect(counts.pairsUnlike).toBe(1);
  });
});

test('the rows of a request are copied out of the batch', () => {
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  const columns = [{ name: 'y', datatype: 'FP32', rowShape: [2], rowElements: 2, data }] as const;
  const reply = { id: undefined, modelName: 'm', modelVersion: '1', columns, options: undefined };
  const kept = keepOutputs({ ...reply, batched: true, rowStart: 1, rows: 1 });
  const whole = keepOutputs({ ...reply, batched: false, rowStart: 0, rows: 1 });
  data.fill(0);
  expect(kept[0]?.data).toEqual(Float32Array.of(3, 4));
  expect(whole[0]?.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
});
