/** The judge under simulated callers: how often it errs when nothing is wrong, how soon it sees what is. Seeded. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge, type Verdict } from '../../../gateway/rollout/canary-judge.ts';

interface Traffic {
  readonly seed: number;
  readonly keys: number;
  /** Few callers send most requests, as 1/rank. */
  readonly zipf?: boolean;
  /** Share of callers that always fail, whichever version they meet. */
  readonly chronic?: number;
  readonly share: number;
  readonly stableRate: number;
  readonly candidateRate: number;
  readonly requests: number;
  /** Failure rate of both for the middle third. */
  readonly incident?: number;
}

interface Run {
  readonly verdict: Verdict;
  /** Until the verdict. */
  readonly candidateRequests: number;
}

function simulate(traffic: Traffic): Run {
  const random = seededRandom(traffic.seed);
  const { keys, share, requests } = traffic;
  const judge = new CanaryJudge();
  const onCandidate = Array.from({ length: keys }, () => random.next() < share);
  const isChronic = Array.from({ length: keys }, () => random.next() < (traffic.chronic ?? 0));
  let candidateRequests = 0;
  for (let request = 0; request < requests; request += 1) {
    const drawn = random.next();
    const key = Math.floor(traffic.zipf === true ? keys ** drawn - 1 : drawn * keys);
    const arm = onCandidate[key] === true ? 'candidate' : 'stable';
    const isIncident = traffic.incident !== undefined && Math.floor((3 * request) / requests) === 1;
    const rate = arm === 'candidate' ? traffic.candidateRate : traffic.stableRate;
    const failed =
      isChronic[key] === true || random.next() < (isIncident ? Math.max(rate, traffic.incident) : rate);
    judge.record({ arm, share, keyHash: key * 40_503, failed });
    if (arm === 'candidate') candidateRequests += 1;
    if (!failed || arm === 'stable') continue;
    const verdict = judge.judge();
    if (verdict.kind === 'rollback') return { verdict, candidateRequests };
  }
  return { verdict: judge.judge(), candidateRequests };
}

function rollbacks(runs: number, traffic: Omit<Traffic, 'seed'>): readonly Run[] {
  const all = Array.from({ length: runs }, (_, seed) => simulate({ ...traffic, seed: seed + 1 }));
  return all.filter(({ verdict }) => verdict.kind === 'rollback');
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Infinity;
}

describe('CanaryJudge', () => {
  const same = { share: 0.05, stableRate: 0.01, candidateRate: 0.01, requests: 5000 };
  const runs = 2000;
  // One in a hundred, and three standard errors.
  const falseMax = runs * (0.01 + 3 * Math.sqrt((0.01 * 0.99) / runs));

  test.each([
    ['spread evenly', { ...same, keys: 2000 }],
    ['few of whom send most', { ...same, keys: 2000, zipf: true }],
    ['few of whom send most and some always fail', { ...same, keys: 2000, zipf: true, chronic: 0.01 }],
  ])('seldom rolls back an identical version for callers %s', (_, traffic) => {
    expect(rollbacks(runs, traffic).length).toBeLessThanOrEqual(falseMax);
  });

  test('does not blame the candidate for an incident that both have', () => {
    expect(rollbacks(300, { ...same, keys: 2000, incident: 0.2 }).length).toBeLessThanOrEqual(9);
  });

  test.each([
    ['five times the failures', 0.01, 0.05, 200],
    ['five times few failures', 0.002, 0.01, 800],
    ['two in a hundred where there were hardly any', 0.0005, 0.02, 200],
  ])('finds %s, and soon', (_, stableRate, candidateRate, medianMeasured) => {
    const traffic = { share: 0.05, stableRate, candidateRate, keys: 100_000, requests: 100_000 };
    const found = rollbacks(40, traffic);
    expect(found.length).toBeGreaterThanOrEqual(38);
    expect(median(found.map(({ candidateRequests }) => candidateRequests))).toBeLessThanOrEqual(
      1.5 * medianMeasured,
    );
  });

  test('rolls back at once when the candidate fails one caller after the other', () => {
    const judge = new CanaryJudge();
    for (let key = 0; key < 5; key += 1) {
      expect(judge.judge().kind).toBe('hold');
      judge.record({ arm: 'candidate', share: 0.05, keyHash: key, failed: true });
    }
    expect(judge.judge()).toEqual({
      kind: 'rollback',
      reason: 'the candidate failed 5 callers in a row and answered none between',
    });
  });

  test('one caller who fails again and again is one failure', () => {
    const judge = new CanaryJudge({ candidateKeysMin: 0 });
    for (let time = 0; time < 1000; time += 1) {
      judge.record({ arm: 'candidate', share: 0.05, keyHash: 7, failed: true });
    }
    expect(judge.judge().kind).toBe('healthy');
  });

  test('says how many callers are missing before it compares', () => {
    const judge = new CanaryJudge();
    for (let key = 0; key < 12; key += 1) {
      judge.record({ arm: 'candidate', share: 0.05, keyHash: key, failed: false });
    }
    expect(judge.judge()).toEqual({ kind: 'hold', reason: 'the candidate met 12 callers of the 30 needed' });
  });
});
