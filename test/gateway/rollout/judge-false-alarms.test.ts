/** How often the judge errs when nothing is wrong: simulated callers, seeded. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { judgeOptions } from '../../../gateway/rollout/judge-options.ts';
import { roleEvidence } from '../../../gateway/rollout/metric-evidence.ts';
import { manyRuns, mixedHash, runsEnding } from './simulated-traffic.ts';

const same = {
  share: 0.05,
  keys: 2000,
  stableRate: 0.02,
  candidateRate: 0.02,
  requests: 3000,
  intervalMs: 200,
};

/** One in a hundred, and three standard errors. */
function falseMax(runs: number): number {
  return runs * (0.01 + 3 * Math.sqrt((0.01 * 0.99) / runs));
}

describe('an identical version is seldom rolled back', () => {
  const runs = manyRuns(400);

  test.each([
    ['spread evenly', same],
    ['few of whom send most', { ...same, zipf: true }],
    ['few of whom send most and some always fail', { ...same, zipf: true, chronic: 0.01 }],
  ])(
    'for callers %s',
    (_, traffic) => {
      expect(runsEnding('rollback', runs, traffic).length).toBeLessThanOrEqual(falseMax(runs));
    },
    120_000,
  );
});

describe('nor is it', () => {
  const runs = 100;

  test.each([
    ['through an incident that both have', { ...same, incident: 0.2 }],
    ['in forty minutes of few busy callers', { ...same, zipf: true, chronic: 0.02, requests: 12_000 }],
    [
      'for callers some of whom are slow and busy',
      { ...same, zipf: true, chronic: 0.01, latency: { callerSigma: 0.5 } },
    ],
  ])('%s', (_, traffic) => {
    expect(runsEnding('rollback', runs, traffic).length).toBeLessThanOrEqual(falseMax(runs));
  });
});

test.each([
  ['two processes', { processes: 2, settings: { windowsPerKeyMax: 1 } }],
  ['four processes', { processes: 4, settings: { windowsPerKeyMax: 1 } }],
])('nor by %s that busy callers and ones that always fail all come to', (_, parts) => {
  const runs = 100;
  const traffic = { ...same, zipf: true, chronic: 0.01, ...parts };
  expect(runsEnding('rollback', runs, traffic).length).toBeLessThanOrEqual(falseMax(runs));
});

test('the evidence itself keeps what it promises for busy callers, without the least difference on top', () => {
  const runs = 150;
  const onlyErrors = { nan: { weight: 0 }, latency: { weight: 0 } };
  let alarms = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const random = seededRandom(seed);
    const judge = new CanaryJudge();
    const onCandidate = Array.from({ length: 2000 }, () => random.next() < 0.05);
    for (let request = 0; request < 12_000; request += 1) {
      const key = Math.floor(2000 ** random.next() - 1);
      const arm = onCandidate[key] === true ? 'candidate' : 'stable';
      const failed = random.next() < 0.02;
      judge.record({ arm, share: 0.05, keyHash: mixedHash(key), failed, nowMs: request * 200 });
      if (!failed || arm === 'stable') continue;
      const { log } = roleEvidence(judge.snapshot(), judgeOptions({ metrics: onlyErrors }), 'guardrail');
      if (log < Math.log(100)) continue;
      alarms += 1;
      break;
    }
  }
  expect(alarms).toBeLessThanOrEqual(falseMax(runs));
});
