/** What the judge says, and why: each rule by a case small enough to read. */
import { describe, expect, test } from 'vitest';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import type { Outcome } from '../../../gateway/rollout/judge.ts';
import type { JudgeSettings } from '../../../gateway/rollout/judge-options.ts';
import { KeyHistory } from '../../../gateway/rollout/key-history.ts';
import { mixedHash } from './simulated-traffic.ts';

type WhatBecomes = (arm: Outcome['arm'], turn: number) => Partial<Outcome>;

interface Case {
  readonly settings?: JudgeSettings;
  readonly requests?: number;
  readonly share?: number;
  /** What becomes of each request; `turn` counts those of the same version. */
  readonly outcome?: WhatBecomes;
}

/** As many callers as requests, of which every so many meet the candidate. */
function judgeOf({ settings = {}, requests = 2000, share = 0.25, outcome = () => ({}) }: Case): CanaryJudge {
  const judge = new CanaryJudge(settings);
  const turns = { candidate: 0, stable: 0 };
  for (let request = 0; request < requests; request += 1) {
    const arm = request % Math.round(1 / share) === 0 ? 'candidate' : 'stable';
    judge.record({ arm, share, keyHash: mixedHash(request), failed: false, ...outcome(arm, turns[arm]) });
    turns[arm] += 1;
  }
  return judge;
}

const everyTenth = (arm: Outcome['arm'], turn: number): Partial<Outcome> => ({
  failed: turn % (arm === 'candidate' ? 10 : 100) === 5,
});

describe('a candidate that fails more', () => {
  test('goes back, with the numbers', () => {
    expect(judgeOf({ outcome: everyTenth }).judge()).toMatchObject({
      kind: 'rollback',
      metric: 'error',
      reason: expect.stringMatching(
        /^the candidate failed in 50 of 500 requests, the stable version in 15 of 1500; one that did so at most 1.2 times as often would look like this with a chance of \d\.\de-\d+ at most$/,
      ) as unknown,
    });
  });

  test('goes back for numbers that are not finite just as well', () => {
    const outcome: WhatBecomes = (arm, turn) => ({ ...everyTenth(arm, turn), failure: 'nan' });
    expect(judgeOf({ outcome }).judge()).toMatchObject({ kind: 'rollback', metric: 'nan' });
  });

  test.each([
    ['signal', 'pause'],
    ['health', 'hold'],
  ] as const)('is a reason for less where that is a %s', (role, kind) => {
    const settings = { metrics: { error: { role } } };
    expect(judgeOf({ settings, outcome: everyTenth }).judge()).toMatchObject({ kind, metric: 'error' });
  });

  test('stays while the difference is smaller than what matters, however large the ratio', () => {
    const rare: WhatBecomes = (arm, turn) => ({ failed: arm === 'candidate' && turn % 400 === 5 });
    const base = { requests: 40_000, outcome: rare };
    const settings = { rateDifferenceMin: 0.01 };
    expect(judgeOf({ ...base, settings: { rateDifferenceMin: 0 } }).judge().kind).toBe('rollback');
    expect(judgeOf({ ...base, settings }).judge().kind).not.toBe('rollback');
  });

  test('does not come back by failing no more', () => {
    const judge = judgeOf({ requests: 800, outcome: everyTenth });
    expect(judge.judge().kind).toBe('rollback');
    const before = judge.snapshot().metrics.error;
    for (let key = 0; key < 400; key += 1) {
      const arm = key % 4 === 0 ? 'candidate' : 'stable';
      judge.record({ arm, share: 0.25, keyHash: mixedHash(100_000 + key), failed: false });
    }
    expect(judge.snapshot().metrics.error.channels).toEqual(before.channels);
    expect(judge.judge().kind).toBe('rollback');
  });
});

describe('callers in a row', () => {
  const fail = (judge: CanaryJudge, arm: Outcome['arm'], key: number): void => {
    judge.record({ arm, share: 0.05, keyHash: mixedHash(key), failed: true });
  };

  test('to whom the candidate fails end it at once', () => {
    const judge = new CanaryJudge();
    for (let key = 0; key < 5; key += 1) {
      expect(judge.judge().kind).toBe('hold');
      fail(judge, 'candidate', key);
    }
    expect(judge.judge()).toEqual({
      kind: 'rollback',
      reason: 'the candidate failed 5 callers in a row and answered none between',
    });
  });

  test('end nothing while the stable version fails as well', () => {
    const judge = new CanaryJudge();
    for (let key = 0; key < 200; key += 1) fail(judge, key % 20 === 0 ? 'candidate' : 'stable', key);
    expect(judge.judge().kind).toBe('hold');
  });

  test('are counted once each', () => {
    const judge = new CanaryJudge({ candidateKeysMin: 0 });
    for (let time = 0; time < 1000; time += 1) fail(judge, 'candidate', 7);
    expect(judge.judge().kind).toBe('healthy');
  });

  test('do not count who always failed before', () => {
    const history = new KeyHistory();
    for (let key = 0; key < 10; key += 1) {
      for (let time = 0; time < 5; time += 1) history.add(mixedHash(key), true);
    }
    const judge = new CanaryJudge({ history, candidateKeysMin: 0 });
    for (let key = 0; key < 10; key += 1) fail(judge, 'candidate', key);
    expect(judge.judge().kind).toBe('healthy');
    expect(judge.snapshot().metrics.error).toMatchObject({
      observed: { candidate: 10 },
      channels: [{ events: [], samples: [], total: { candidate: 10 } }],
    });
  });
});

describe('a slower candidate', () => {
  const slower = (factor: number): WhatBecomes => {
    return (arm, turn) => ({
      serviceMs: (5 + ((turn * 37) % 100) / 10) * (arm === 'candidate' ? factor : 1),
    });
  };

  test('goes back, with the cut point', () => {
    expect(judgeOf({ requests: 4000, outcome: slower(1.5) }).judge()).toMatchObject({
      kind: 'rollback',
      metric: 'latency',
      reason: expect.stringMatching(/^the candidate took longer than 1\d(\.\d+)? ms in \d+ of/) as unknown,
    });
  });

  test('is not compared before the cut points are set, nor when it is faster', () => {
    expect(judgeOf({ requests: 600, outcome: slower(3) }).judge().kind).toBe('healthy');
    expect(judgeOf({ requests: 4000, outcome: slower(0.5) }).judge().kind).not.toBe('rollback');
  });
});

describe('other predictions', () => {
  const classes: WhatBecomes = (arm, turn) => ({ predictedClass: turn % (arm === 'candidate' ? 2 : 4) });
  const scores: WhatBecomes = (arm, turn) => ({
    score: ((turn * 37) % 100) / 100 + (arm === 'candidate' ? 0.3 : 0),
  });

  test.each([
    ['classes', classes],
    ['scores', scores],
  ])('of %s are for people to look at', (_, outcome) => {
    expect(judgeOf({ requests: 6000, outcome }).judge()).toMatchObject({
      kind: 'pause',
      metric: 'prediction',
    });
  });

  test('are a reason to go back where the same were expected', () => {
    const settings = { expectSamePredictions: true };
    expect(judgeOf({ settings, requests: 6000, outcome: classes }).judge()).toMatchObject({
      kind: 'rollback',
      reason: expect.stringContaining('between 0.83 and 1.2 times as often') as unknown,
    });
  });

  test('are seen when only one class became rare', () => {
    const rarer: WhatBecomes = (arm, turn) => ({
      predictedClass: turn % 2 === 0 && (arm === 'stable' || turn % 8 === 0) ? 0 : 1 + (turn % 9),
    });
    expect(judgeOf({ requests: 6000, outcome: rarer }).judge().kind).toBe('pause');
  });

  test('are none where they are the same', () => {
    const same: WhatBecomes = (_, turn) => ({ predictedClass: turn % 4 });
    expect(judgeOf({ requests: 6000, outcome: same }).judge().kind).toBe('healthy');
  });
});

describe('nothing can be said', () => {
  test('before the candidate met enough callers', () => {
    expect(judgeOf({ requests: 48 }).judge()).toEqual({
      kind: 'hold',
      isEarly: true,
      reason: 'the candidate met 12 callers of the 30 needed',
    });
  });

  test('while callers meet the candidate more often than they should', () => {
    const judge = new CanaryJudge();
    for (let key = 0; key < 4000; key += 1) {
      judge.record({
        arm: key % 8 === 0 ? 'candidate' : 'stable',
        share: 0.05,
        keyHash: mixedHash(key),
        failed: false,
      });
    }
    expect(judge.judge()).toMatchObject({
      kind: 'hold',
      metric: 'shares',
      reason: expect.stringMatching(
        /^500 of \d+ callers met the candidate where its share makes 200; a fair division would/,
      ) as unknown,
    });
  });
});

describe('a candidate that is not worse', () => {
  const alike: WhatBecomes = (_, turn) => ({ failed: turn % 20 === 7 });

  test('is promoted once that is shown', () => {
    expect(judgeOf({ requests: 16_000, outcome: alike }).judge()).toMatchObject({
      kind: 'promote',
      reason: expect.stringContaining('one that failed 1.5 times as often would look like this') as unknown,
    });
  });

  test('is not promoted before it met enough callers, and the reason says so', () => {
    const verdict = judgeOf({ requests: 160, outcome: alike }).judge();
    expect(verdict.kind).toBe('healthy');
    expect(verdict.reason).toContain('40 requests of 40 callers are fewer than the 200 of 50 needed');
  });

  test('needs its latency to be shown as well, where that is measured', () => {
    const outcome: WhatBecomes = (arm, turn) => ({ ...alike(arm, turn), serviceMs: 5 });
    expect(judgeOf({ requests: 16_000, outcome }).judge().kind).toBe('healthy');
  });

  test.each(['hold', 'promote', 'rollback'] as const)(
    'without evidence, is for %s after the time of a step',
    (kind) => {
      const settings = { onInconclusive: kind, inconclusiveAfterMs: 60_000 };
      const judge = judgeOf({ settings });
      judge.beginStep(1000);
      expect(judge.judge(60_999).kind).toBe('healthy');
      const verdict = judge.judge(61_000);
      expect(verdict.kind).toBe(kind);
      expect(verdict.reason).toMatch(/nothing yet that it is not after 60 s$/);
    },
  );

  test('is held after that time without enough callers, whatever was asked for', () => {
    const settings = { onInconclusive: 'promote', inconclusiveAfterMs: 60_000 } as const;
    expect(judgeOf({ settings, requests: 160 }).judge(60_000).kind).toBe('hold');
  });
});
