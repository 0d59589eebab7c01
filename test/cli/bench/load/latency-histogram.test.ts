/** Percentiles against sorted samples: within the error that is promised, alone and added up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram, relativeErrorMax } from '../../../../cli/bench/load/latency-histogram.ts';

function histogramOf(values: Iterable<number>): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** Nearest rank, the simple way. */
function exact(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

const latency = fc.oneof(
  fc.double({ min: 0, max: 60, noNaN: true }),
  fc.double({ min: 0, max: 1e6, noNaN: true }),
  fc.double({ min: 0, max: 4e8, noNaN: true }),
);
const share = fc.constantFrom(0, 0.5, 0.9, 0.99, 0.999, 1);
/** Half a unit where buckets are units. */
const smallErrorUs = 0.05 + 1e-9;

describe('a latency histogram', () => {
  it('gives every percentile within its error', () => {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), share, (values, wanted) => {
        const right = exact(values, wanted);
        const found = histogramOf(values).percentileUs(wanted);
        expect(Math.abs(found - right)).toBeLessThanOrEqual(smallErrorUs + right * relativeErrorMax);
      }),
    );
  });

  it('added to another one is the histogram of all samples', () => {
    const many = fc.array(latency, { maxLength: 100 });
    fc.assert(
      fc.property(many, many, share, (left, right, wanted) => {
        const sum = histogramOf(left);
        sum.add(histogramOf(right));
        const all = histogramOf([...left, ...right]);
        expect(sum.count).toBe(all.count);
        expect(sum.maxUs).toBe(all.maxUs);
        expect(sum.meanUs).toBeCloseTo(all.meanUs, 3);
        expect(sum.percentileUs(wanted)).toBe(all.percentileUs(wanted));
      }),
    );
  });

  it('gives a single sample as every percentile, and zeros for none', () => {
    expect(histogramOf([7]).summary()).toEqual({ p50Us: 7, p99Us: 7, p999Us: 7 });
    expect(histogramOf([]).summary()).toEqual({ p50Us: 0, p99Us: 0, p999Us: 0 });
    expect(histogramOf([]).meanUs).toBe(0);
  });

  it('knows the longest sample exactly and never reports a longer one', () => {
    const histogram = histogramOf([1_000_003, 5]);
    expect(histogram.maxUs).toBe(1_000_003);
    expect(histogram.percentileUs(1)).toBeLessThanOrEqual(1_000_003);
  });

  it('takes what no clock should give', () => {
    const histogram = histogramOf([-3, 1e12]);
    expect(histogram.percentileUs(0.5)).toBe(0);
    expect(histogram.percentileUs(1)).toBeGreaterThan(4e8);
  });
});
