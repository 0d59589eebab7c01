/** The oracles against the values that their authors publish, and the product against the oracles. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../deploy/demo/seeded-random.ts';
import {
  bernoulliConfidence,
  logBinomialEvidence,
} from '../../../../gateway/rollout/bernoulli-confidence.ts';
import { CanaryJudge } from '../../../../gateway/rollout/canary-judge.ts';
import { median, mixedHash, runsEnding } from '../simulated-traffic.ts';
import { bettingEvidence, bettingStake, relativeUplift } from './mean-sequences.ts';
import { betaBinomialLogMixture, boundOf, mixturePrecision, normalLogMixture } from './mixture-boundaries.ts';
import {
  doubleStitchingBound,
  empiricalProcessBound,
  lilConstant,
  quantileTest,
} from './quantile-sequences.ts';

const ascending = Array.from({ length: 1000 }, (_, index) => index + 1);

describe('published values', () => {
  test.each([
    [false, -0.6941012, 31.4308],
    [true, -0.07134019, 28.41238],
  ])('of the beta-binomial mixture, one-sided: %s', (isOneSided, log, bound) => {
    const at = (s: number): number =>
      betaBinomialLogMixture(s, 100, { varianceBest: 100, isOneSided }, 0.2, 0.8);
    expect(at(10)).toBeCloseTo(log, 6);
    expect(boundOf(at, 0.05, 499)).toBeCloseTo(bound, 4);
  });

  test.each([
    [false, -0.6510052, 30.35209],
    [true, -0.06502391, 27.66071],
  ])('of the normal mixture, one-sided: %s', (isOneSided, log, bound) => {
    const at = (s: number): number => normalLogMixture(s, 100, { varianceBest: 100, isOneSided });
    expect(at(10)).toBeCloseTo(log, 6);
    expect(boundOf(at, 0.05, 1000)).toBeCloseTo(bound, 5);
  });

  test('of the precision that is tightest at a variance of 100', () => {
    expect(mixturePrecision({ varianceBest: 100, isOneSided: false })).toBeCloseTo(12.60056, 5);
  });

  test('of the bound on the whole empirical distribution', () => {
    expect(empiricalProcessBound(1000, 0.05, 100, 0.85)).toBeCloseTo(0.08204769, 6);
    expect([0.05, 0.01, 0.001].map((alpha) => lilConstant(alpha, 0.85).toFixed(5))).toEqual([
      '8.12272',
      '9.28354',
      '10.94307',
    ]);
  });

  test.each([
    [0.5, 68.62803],
    [0.9, 43.72119],
    [0.1, 59.96521],
  ])('of the double stitching bound at p = %f', (p, bound) => {
    expect(doubleStitchingBound(p, 1000, 0.05, 100)).toBeCloseTo(bound, 5);
  });

  test.each([
    [0.5, 70, 0.814704],
    [0.5, 85, 0.0838055],
    [0.5, 100, 0.0054947],
    [0.9, 55, 0.0340463],
  ])('of the quantile test at p = %f for values larger by %i', (p, shift, pValue) => {
    const shifted = ascending.map((value) => value + shift);
    expect(quantileTest(ascending, shifted, p, 100)).toBeCloseTo(pValue, 6);
  });

  test('of the first stake of the betting martingale', () => {
    expect(bettingStake(1, 0.25, 0.05)).toBeCloseTo(5.880087, 6);
    expect(bettingStake(1, 0.25, 0.1)).toBeCloseTo(5.155135, 5);
  });

  test('of the sequential t-tests of gbstats', () => {
    const control = { sum: 1396.87, sumSquares: 52_377.9767, count: 3000 };
    const treated = { sum: 2422.7, sumSquares: 134_698.29, count: 3461 };
    const { uplift, halfWidth } = relativeUplift(control, treated, 0.05, 1000);
    expect(uplift).toBeCloseTo(0.50336, 5);
    expect(uplift - halfWidth).toBeCloseTo(-0.55844, 5);
    expect(uplift + halfWidth).toBeCloseTo(1.56516, 5);
    const byDefault = relativeUplift(control, treated, 0.05, 5000);
    expect(byDefault.uplift - byDefault.halfWidthOneSided).toBeCloseTo(-0.4235645, 7);
  });
});

describe('the product', () => {
  test.each([
    [700, 1000, 0.65],
    [3, 50, 0.2],
    [0, 400, 0.01],
  ])('weighs %i of %i against a probability of %f as the mixture does', (successes, trials, probability) => {
    const variance = probability * (1 - probability);
    const sum = successes - trials * probability;
    const tuning = { varianceBest: variance * 100, isOneSided: false };
    expect(logBinomialEvidence(successes, trials, probability, 100)).toBeCloseTo(
      betaBinomialLogMixture(sum, variance * trials, tuning, probability, 1 - probability),
      8,
    );
  });

  test('agrees with the quantile test about which of two latencies is worse', () => {
    for (const factor of [0.6, 1, 1.6]) {
      const random = seededRandom(5);
      const judge = new CanaryJudge();
      const times = { candidate: [] as number[], stable: [] as number[] };
      for (let sample = 0; sample < 500; sample += 1) judge.warmUp(8 + 2 * random.normal());
      for (let request = 0; request < 1200; request += 1) {
        const arm = random.next() < 0.5 ? 'candidate' : 'stable';
        const serviceMs = (8 + 2 * random.normal()) * (arm === 'candidate' ? factor : 1);
        times[arm].push(serviceMs);
        judge.record({ arm, share: 0.5, keyHash: mixedHash(request), failed: false, serviceMs });
      }
      const differs = quantileTest(times.stable, times.candidate, 0.5, 100) < 0.01;
      const isSlower = differs && factor > 1;
      expect(differs).toBe(factor !== 1);
      expect(judge.judge().kind === 'rollback').toBe(isSlower);
    }
  });

  test('excludes what the betting martingale excludes', () => {
    const random = seededRandom(11);
    const agreeing = Array.from({ length: 2000 }, () => (random.next() < 0.9 ? 1 : 0));
    const { lower, upper } = bernoulliConfidence(
      agreeing.reduce<number>((sum, value) => sum + value, 0),
      agreeing.length,
      { errorMax: 0.05, trialsBest: 1000 },
    );
    for (const mean of [lower - 0.05, lower - 0.03]) {
      expect(bettingEvidence(agreeing, mean, 0.05).above).toBeGreaterThan(Math.log(20));
    }
    expect(bettingEvidence(agreeing, upper + 0.03, 0.05).below).toBeGreaterThan(Math.log(20));
    const within = bettingEvidence(agreeing, 0.9, 0.05);
    expect(Math.max(within.above, within.below)).toBeLessThan(Math.log(20));
  });

  test('is not later than an asymptotic confidence sequence', () => {
    const traffic = { share: 0.05, keys: 100_000, requests: 20_000, stableRate: 0.01, candidateRate: 0.05 };
    const found = runsEnding('rollback', 20, traffic).map(({ candidateRequests }) => candidateRequests);
    const failures = (rate: number, count: number): Parameters<typeof relativeUplift>[0] => ({
      sum: rate * count,
      sumSquares: rate * count,
      count,
    });
    const isFound = (count: number): boolean => {
      const { uplift, halfWidthOneSided } = relativeUplift(
        failures(0.01, 19 * count),
        failures(0.05, count),
        0.01,
        5000,
      );
      return uplift > halfWidthOneSided;
    };
    const asymptotic = ascending.find((count) => isFound(count)) ?? Infinity;
    expect(median(found)).toBeLessThanOrEqual(asymptotic);
  });
});
