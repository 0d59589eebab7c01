/** Two answers to one request, compared: what counts as saying the same, and that nothing is counted twice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ComparisonCounts,
  comparePair,
  keepOutputs,
  noComparisons,
} from '../../../gateway/rollout/output-comparison.ts';
import type { OutputColumn } from '../../../gateway/wire/infer-request.ts';
import type { Datatype } from '../../../runtime/tensor/dtype.ts';
import { numberToHalf } from '../../../runtime/tensor/half-float.ts';

function output(datatype: Datatype, rowElements: number, data: OutputColumn['data']): OutputColumn {
  return { name: 'y', datatype, rowShape: [rowElements], rowElements, data };
}

function compared(stable: OutputColumn, candidate: OutputColumn): ComparisonCounts {
  const counts = noComparisons();
  comparePair(counts, [stable], [candidate]);
  return counts;
}

const scores = (...values: number[]): OutputColumn => output('FP32', 3, Float32Array.from(values));

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

  test.each<[string, OutputColumn, OutputColumn]>([
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
    const half = (value: number): OutputColumn => output('FP16', 1, Uint16Array.of(numberToHalf(value)));
    expect(compared(half(1), half(-1))).toMatchObject({ rowsAgreeing: 0, differenceMax: 2 });
  });

  test('has a row that is not finite only when the candidate alone made it so', () => {
    const bad = scores(Number.NaN, 0, 0, Number.POSITIVE_INFINITY, 0, 0);
    expect(compared(scores(1, 2, 3, 4, 5, 6), bad)).toMatchObject({ rowsNotFinite: 2, rowsAgreeing: 0 });
    expect(compared(bad, bad)).toMatchObject({ rowsNotFinite: 0 });
  });

  test('counts how many of the five largest both have', () => {
    const wide = (values: number[]): OutputColumn => output('FP32', 8, Float32Array.from(values));
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

  test.each([
    ['with ties', [1, 3, 3, 2], [0, 5, 4, 1], 1],
    ['with NaN in both', [Number.NaN, 2, 1, 0], [Number.NaN, 3, 1, 0], 1],
    ['all the same', [1, 1, 1, 1], [2, 2, 2, 2], 1],
    ['the last one largest', [0, 0, 0, 1], [1, 0, 0, 0], 0],
  ])('finds the largest %s', (_, one, other, agreeing) => {
    const row = (values: readonly number[]): OutputColumn => output('FP32', 4, Float32Array.from(values));
    expect(compared(row(one), row(other))).toMatchObject({ rows: 1, rowsAgreeing: agreeing });
  });

  test('finds the same five as sorting does, wherever they are', () => {
    const values = fc.array(fc.float({ noNaN: true }), { minLength: 6, maxLength: 40 });
    fc.assert(
      fc.property(
        values,
        fc.array(fc.float({ noNaN: true }), { minLength: 40, maxLength: 40 }),
        (one, more) => {
          const other = more.slice(0, one.length);
          const wide = (row: readonly number[]): OutputColumn =>
            output('FP32', row.length, Float32Array.from(row));
          const top = (row: readonly number[]): readonly number[] =>
            [...row.keys()].sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0) || a - b).slice(0, 5);
          const shared = top(one).filter((index) => top(other).includes(index)).length;
          fc.pre(one.concat(other).every(Number.isFinite));
          expect(compared(wide(one), wide(other))).toMatchObject({
            topShared: shared,
            rowsAgreeing: top(one)[0] === top(other)[0] ? 1 : 0,
          });
        },
      ),
    );
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
  const [column] = columns;
  const alone = [{ ...column, rowShape: [3, 2], rowElements: 6 }];
  const whole = keepOutputs({ ...reply, columns: alone, batched: false, rowStart: 0, rows: 3 });
  data.fill(0);
  expect(kept[0]?.data).toEqual(Float32Array.of(3, 4));
  expect(whole[0]?.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
});

test('of an answer with very many elements the first rows are kept, and of a huge row that row', () => {
  const reply = { id: undefined, modelName: 'm', modelVersion: '1', options: undefined };
  const kept = (rowElements: number, rows: number): number | undefined => {
    const data = new Float32Array(rowElements * rows);
    const columns = [{ name: 'y', datatype: 'FP32', rowShape: [rowElements], rowElements, data }] as const;
    return keepOutputs({ ...reply, columns, batched: true, rowStart: 0, rows })[0]?.data.length;
  };
  expect(kept(1000, 64)).toBe(16_000);
  expect(kept(1000, 2)).toBe(2000);
  expect(kept(50_000, 3)).toBe(50_000);
});
