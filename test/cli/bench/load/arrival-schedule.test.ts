/** Rate, distances and seeds of both kinds of arrivals. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArrivalSchedule, type ScheduleOptions } from '../../../../cli/bench/load/arrival-schedule.ts';

function times(options: ScheduleOptions, count: number): readonly number[] {
  const schedule = new ArrivalSchedule(options);
  return Array.from({ length: count }, () => schedule.take());
}

/** Arrivals in each of the seconds from 0. */
function perSecond(times: readonly number[], seconds: number): readonly number[] {
  const counts = Array.from({ length: seconds }, () => 0);
  for (const us of times) {
    const second = Math.floor(us / 1e6);
    if (second < seconds) counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('constant arrivals', () => {
  it('keep equal distances without drifting, at any rate', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 200_000, noNaN: true }), (ratePerSecond) => {
        const at = times({ ratePerSecond, arrivals: 'constant', seed: 1 }, 2000);
        expect(at[0]).toBe(0);
        for (const index of [1, 500, 1999]) {
          expect((at[index] ?? 0) / ((index * 1e6) / ratePerSecond)).toBeCloseTo(1, 12);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('Poisson arrivals', () => {
  it('come at the rate, in order, and are as scattered as independent callers', () => {
    fc.assert(
      fc.property(seed, (seed) => {
        const at = times({ ratePerSecond: 100, arrivals: 'poisson', seed }, 42_000);
        expect(at.every((us, index) => us >= (at[index - 1] ?? 0))).toBe(true);
        const counts = perSecond(at, 400);
        const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
        const variance = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / counts.length;
        // Five standard errors of mean (0.5) and of index of dispersion (0.07) for 400 seconds of 100 on average.
        expect(Math.abs(mean - 100)).toBeLessThan(2.5);
        expect(Math.abs(variance / mean - 1)).toBeLessThan(0.36);
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it('are the same for the same seed and others for another one', () => {
    const options = { ratePerSecond: 1000, arrivals: 'poisson' } as const;
    expect(times({ ...options, seed: 5 }, 50)).toEqual(times({ ...options, seed: 5 }, 50));
    expect(times({ ...options, seed: 5 }, 50)).not.toEqual(times({ ...options, seed: 6 }, 50));
  });
});
