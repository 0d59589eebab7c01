/** Intervals of a probability against published values, and differences of two of them. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { bernoulliConfidence, isDifferenceAbove } from '../../../gateway/rollout/bernoulli-confidence.ts';
import { logBeta, logGamma } from '../../../gateway/rollout/log-gamma.ts';

test.each([
  [700, 1000, 100, 0.651629, 0.745949],
  [15, 50, 50, 0.129556, 0.511896],
  [5, 50, 50, 0.013021, 0.269264],
  [1, 50, 50, 0, 0.13489],
  [100, 200, 1, 0.328923, 0.671076],
])('%i of %i, tightest at %i', (successes, trials, trialsBest, lower, upper) => {
  const interval = bernoulliConfidence(successes, trials, { errorMax: 0.05, trialsBest });
  // The published ones are cut after so many digits.
  expect(Math.abs(interval.lower - lower)).toBeLessThan(2e-6);
  expect(Math.abs(interval.upper - upper)).toBeLessThan(2e-6);
});

test('nothing is known without trials', () => {
  expect(bernoulliConfidence(0, 0, { errorMax: 0.05, trialsBest: 100 })).toEqual({ lower: 0, upper: 1 });
});

describe('a difference of two rates', () => {
  const candidate = { events: 20, trials: 200, trialsBest: 1000 };
  const stable = { events: 40, trials: 4000, trialsBest: 20_000 };

  test('is shown where both rates are known well enough', () => {
    expect(isDifferenceAbove(candidate, stable, 0.001, 0.1)).toBe(true);
    expect(isDifferenceAbove(candidate, stable, 0.08, 0.1)).toBe(false);
    expect(isDifferenceAbove({ ...candidate, events: 2, trials: 20 }, stable, 0.001, 0.1)).toBe(false);
  });

  test('is never shown in the other direction, nor without trials', () => {
    expect(isDifferenceAbove(stable, candidate, 0.001, 0.1)).toBe(false);
    expect(isDifferenceAbove({ ...candidate, events: 0, trials: 0 }, stable, 0.001, 0.1)).toBe(false);
  });

  test('is seldom shown where there is none, though one looks a hundred times', () => {
    let shown = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seededRandom(seed);
      const counts = { one: 0, other: 0 };
      for (let trials = 1; trials <= 1000; trials += 1) {
        if (random.next() < 0.05) counts.one += 1;
        if (random.next() < 0.05) counts.other += 1;
        if (trials % 10 !== 0) continue;
        const one = { events: counts.one, trials, trialsBest: 500 };
        const other = { events: counts.other, trials, trialsBest: 500 };
        if (!isDifferenceAbove(one, other, 0, 0.1)) continue;
        shown += 1;
        break;
      }
    }
    expect(shown / 300).toBeLessThanOrEqual(0.1 + 3 * Math.sqrt((0.1 * 0.9) / 300));
  });
});

test('the gamma function is the factorial', () => {
  let factorial = 1;
  for (let n = 1; n < 30; n += 1) {
    expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 10);
    factorial *= n;
  }
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
  expect(logBeta(2, 3)).toBeCloseTo(Math.log(1 / 12), 12);
});
