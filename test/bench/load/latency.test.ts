/** Percentiles by nearest rank, and samples beyond the first block of memory. */
import { describe, expect, it } from 'vitest';
import { LatencySamples } from '../../../bench/load/latency.ts';

function samplesOf(values: Iterable<number>): LatencySamples {
  const samples = new LatencySamples();
  for (const value of values) samples.record(value);
  return samples;
}

describe('latency samples', () => {
  it('gives the smallest sample that the share of samples does not exceed', () => {
    const oneToThousand = Array.from({ length: 1000 }, (_, index) => 1000 - index);
    expect(samplesOf(oneToThousand).summary()).toEqual({ p50Us: 500, p99Us: 990, p999Us: 999 });
  });

  it('gives a single sample as every percentile', () => {
    expect(samplesOf([7]).summary()).toEqual({ p50Us: 7, p99Us: 7, p999Us: 7 });
  });

  it('gives zeros when nothing was answered', () => {
    expect(samplesOf([]).summary()).toEqual({ p50Us: 0, p99Us: 0, p999Us: 0 });
  });

  it('keeps every sample when there are more than it first has room for', () => {
    const samples = samplesOf(Array.from({ length: 200_000 }, (_, index) => index + 1));
    expect(samples.count).toBe(200_000);
    expect(samples.summary().p50Us).toBe(100_000);
  });
});
