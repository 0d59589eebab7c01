/**
 * How soon the judge sees what is wrong: the median number of requests that the candidate got, against a published
 * comparison of methods in which nothing was tolerated.
 */
import { describe, expect, test } from 'vitest';
import { median, type Run, runsEnding, simulate, type Traffic } from './simulated-traffic.ts';

const runs = 40;
const strict = { metrics: { error: { tolerated: 1 }, nan: { tolerated: 1 }, latency: { tolerated: 1 } } };
const traffic = { share: 0.05, keys: 100_000, requests: 100_000, intervalMs: 1 };

function medianRequests(found: readonly Run[]): number {
  return median(found.map(({ candidateRequests }) => candidateRequests));
}

describe('more failures are found', () => {
  test.each([
    ['twice as many', 0.01, 0.02, 1525],
    ['five times as many', 0.01, 0.05, 200],
    ['five times few', 0.002, 0.01, 800],
    ['two in a hundred where there were hardly any', 0.0005, 0.02, 200],
  ])('%s', (_, stableRate, candidateRate, medianPublished) => {
    const found = runsEnding('rollback', runs, { ...traffic, stableRate, candidateRate, settings: strict });
    expect(found.length).toBeGreaterThanOrEqual(38);
    expect(medianRequests(found)).toBeLessThanOrEqual(1.5 * medianPublished);
  });

  test.each([
    ['five times as many', 0.01, 0.05, 200],
    ['five times few', 0.002, 0.01, 800],
    ['two in a hundred where there were hardly any', 0.0005, 0.02, 200],
  ])('%s, also beyond what is tolerated by default', (_, stableRate, candidateRate, medianPublished) => {
    const found = runsEnding('rollback', runs, { ...traffic, stableRate, candidateRate });
    expect(found.length).toBeGreaterThanOrEqual(38);
    expect(medianRequests(found)).toBeLessThanOrEqual(1.5 * medianPublished);
  });
});

describe('slower answers are found', () => {
  test.each([
    ['by a quarter', { factor: 1.25 }, 200],
    ['by a half', { factor: 1.5 }, 50],
    ['in three of a hundred requests', { slowShare: 0.03 }, 450],
  ])('%s', (_, latency, medianPublished) => {
    const slower = { ...traffic, requests: 40_000, stableRate: 0, candidateRate: 0, latency };
    const found = runsEnding('rollback', runs, { ...slower, settings: strict });
    expect(found.length).toBeGreaterThanOrEqual(38);
    expect(found.every(({ verdict }) => verdict.metric === 'latency')).toBe(true);
    expect(medianRequests(found)).toBeLessThanOrEqual(1.5 * medianPublished);
  });
});

describe('a candidate is promoted', () => {
  const long = { share: 0.25, keys: 100_000, requests: 20_000, intervalMs: 30, stableRate: 0.03 };
  const kinds = (settings: Omit<Traffic, 'seed'>): readonly string[] =>
    Array.from(
      { length: runs },
      (_, seed) => simulate({ ...settings, seed: seed + 1 }, ['promote', 'rollback']).verdict.kind,
    );

  test('that is the same, also through an incident that both have', () => {
    const same = kinds({ ...long, candidateRate: 0.03, incident: 0.2 });
    expect(same.filter((kind) => kind === 'promote').length).toBeGreaterThanOrEqual(36);
    expect(same.filter((kind) => kind === 'rollback').length).toBeLessThanOrEqual(2);
  });

  test('but seldom one that fails half as often again', () => {
    const worse = kinds({ ...long, candidateRate: 0.045 });
    expect(worse.filter((kind) => kind === 'promote').length).toBeLessThanOrEqual(
      runs * (0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs)),
    );
  });

  test('and not because busy callers of both have all failed once', () => {
    const busy = kinds({ ...long, keys: 2000, requests: 40_000, candidateRate: 0.06 });
    expect(busy.filter((kind) => kind === 'promote').length).toBeLessThanOrEqual(6);
  });
});
