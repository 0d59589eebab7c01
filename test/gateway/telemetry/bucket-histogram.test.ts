/**
 * The histogram against counting by hand: for every bound, how many of the values were at most that much.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketHistogram } from '../../../gateway/telemetry/bucket-histogram.ts';

const bounds = fc
  .uniqueArray(fc.integer({ min: -50, max: 50 }), { maxLength: 12 })
  .map((values) => values.toSorted((a, b) => a - b));
/** Many values that lie exactly on a bound. */
const values = fc.array(
  fc.oneof(fc.integer({ min: -60, max: 60 }), fc.double({ min: -60, max: 60, noNaN: true })),
);

describe('BucketHistogram', () => {
  it('counts for every bound the values that are at most that much', () => {
    fc.assert(
      fc.property(bounds, values, (limits, recorded) => {
        const histogram = new BucketHistogram(limits);
        for (const value of recorded) histogram.record(value);
        const byHand = limits.map((limit) => recorded.filter((value) => value <= limit).length);
        expect(histogram.cumulative()).toEqual(byHand);
        expect(histogram.count).toBe(recorded.length);
        expect(histogram.sum).toBe(recorded.reduce((sum, value) => sum + value, 0));
      }),
    );
  });

  it.each([
    { value: 0, cumulative: [1, 1, 1], where: 'below the first bound' },
    { value: 1, cumulative: [1, 1, 1], where: 'on a bound, which is inclusive' },
    { value: 1.0000001, cumulative: [0, 1, 1], where: 'just above a bound' },
    { value: 4, cumulative: [0, 0, 1], where: 'on the last bound' },
    { value: 5, cumulative: [0, 0, 0], where: 'above all bounds' },
    { value: Infinity, cumulative: [0, 0, 0], where: 'above all numbers' },
  ])('puts $value $where', ({ value, cumulative }) => {
    const histogram = new BucketHistogram([1, 2, 4]);
    histogram.record(value);
    expect([histogram.cumulative(), histogram.count, histogram.sum]).toEqual([cumulative, 1, value]);
  });

  it('is all zeros before anything was recorded', () => {
    const histogram = new BucketHistogram([1, 2]);
    expect([histogram.cumulative(), histogram.count, histogram.sum]).toEqual([[0, 0], 0, 0]);
  });

  it('gives every reader a list of its own', () => {
    const histogram = new BucketHistogram([1]);
    histogram.record(1);
    histogram.cumulative()[0] = 99;
    expect(histogram.cumulative()).toEqual([1]);
  });
});
