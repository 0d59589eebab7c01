/** How often a version that was flipped to is wrongly sent back, and how soon a bad one is seen: simulated callers, seeded. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { type CallerCounts, CallerRates } from '../../../gateway/rollout/caller-rates.ts';
import type { Failure } from '../../../gateway/rollout/judge.ts';
import type { JudgeSettings } from '../../../gateway/rollout/judge-options.ts';
import type { Verdict } from '../../../gateway/rollout/judge-verdict.ts';
import { ReferenceJudge } from '../../../gateway/rollout/reference-judge.ts';
import { manyRuns, median, mixedHash } from './simulated-traffic.ts';

interface Flip {
  readonly keys: number;
  readonly zipf?: boolean;
  readonly chronic?: number;
  readonly rateBefore: number;
  readonly rateAfter: number;
  /** Requests after the flip until the rate is `rateAfter`; before it is that of the version before. */
  readonly badFrom?: number;
  readonly requestsBefore: number;
  readonly requestsAfter: number;
}

/** Requests after the flip until it goes back; undefined when it does not. */
function backAfter(flip: Flip, seed: number): number | undefined {
  const random = seededRandom(seed);
  const isChronic = Uint8Array.from({ length: flip.keys }, () =>
    random.next() < (flip.chronic ?? 0) ? 1 : 0,
  );
  const nextKey = (): number =>
    Math.floor(flip.zipf === true ? flip.keys ** random.next() - 1 : flip.keys * random.next());
  const fails = (key: number, rate: number): boolean => random.next() < rate || isChronic[key] === 1;
  const before = new CallerRates();
  for (let request = 0; request < flip.requestsBefore; request += 1) {
    const key = nextKey();
    before.add(mixedHash(key), request * 50, fails(key, flip.rateBefore) ? 'error' : undefined);
  }
  const reference = before.counts;
  const judge = new ReferenceJudge({ unit: 'caller', reference: () => reference, requestsMin: 0 });
  for (let request = 0; request < flip.requestsAfter; request += 1) {
    const key = nextKey();
    const failed = fails(key, request < (flip.badFrom ?? 0) ? flip.rateBefore : flip.rateAfter);
    const nowMs = (flip.requestsBefore + request) * 50;
    judge.record({
      arm: 'candidate',
      share: 1,
      keyHash: mixedHash(key),
      nowMs,
      failed,
      ...(failed && error),
    });
    if (failed && judge.judge().kind === 'rollback') return request + 1;
  }
  return undefined;
}

const error = { failure: 'error' } as const;
const same: Flip = {
  ...{ keys: 2000, rateBefore: 0.02, rateAfter: 0.02 },
  ...{ requestsBefore: 2000, requestsAfter: 4000 },
};

function backs(runs: number, flip: Flip): readonly number[] {
  return Array.from({ length: runs }, (_, run) => backAfter(flip, run + 1)).filter(
    (count) => count !== undefined,
  );
}

describe('an identical version is sent back in at most 1 % of the runs and three standard errors', () => {
  const runs = manyRuns(100);
  const most = runs * (0.01 + 3 * Math.sqrt((0.01 * 0.99) / runs));

  test.each<[string, Flip]>([
    ['callers who come alike', same],
    ['callers few of whom send most', { ...same, zipf: true }],
    ['callers some of whom always fail', { ...same, zipf: true, chronic: 0.01 }],
    ['few callers', { ...same, keys: 40, chronic: 0.02 }],
    ['a version before that was seen shortly', { ...same, requestsBefore: 150 }],
    ['failures that are rare', { ...same, rateBefore: 0.001, rateAfter: 0.001 }],
    ['failures that are often', { ...same, rateBefore: 0.1, rateAfter: 0.1, requestsAfter: 1000 }],
  ])(
    'for %s',
    (_, flip) => {
      expect(backs(runs, flip).length).toBeLessThanOrEqual(most);
    },
    120_000,
  );
});

describe('a bad version is found', () => {
  const runs = 50;

  test.each<[string, Flip, number]>([
    ['ten times as many failures', { ...same, rateAfter: 0.2 }, 150],
    ['five times as many', { ...same, rateAfter: 0.1, requestsAfter: 8000 }, 500],
    ['failures that there were none of', { ...same, rateBefore: 0, rateAfter: 0.05 }, 400],
    ['failures that begin after a while', { ...same, rateAfter: 0.5, badFrom: 2000 }, 2300],
  ])('%s', (_, flip, requestsMax) => {
    const found = backs(runs, flip);
    expect(found.length).toBe(runs);
    expect(median(found)).toBeLessThanOrEqual(requestsMax);
  });
});

interface Seen {
  readonly caller: number;
  readonly failure?: Failure;
}

function verdictOn(
  seen: readonly Seen[],
  given: Partial<ConstructorParameters<typeof ReferenceJudge>[0]> & { readonly before?: CallerCounts } = {},
): Verdict {
  const { before = { trials: 2000, failed: { error: 4, nan: 0 } }, ...options } = given;
  const judge = new ReferenceJudge({ unit: 'caller', reference: () => before, requestsMin: 0, ...options });
  for (const { caller, failure } of seen) {
    const outcome = { arm: 'candidate', share: 1, keyHash: mixedHash(caller), nowMs: 0 } as const;
    judge.record({ ...outcome, failed: failure !== undefined, ...(failure !== undefined && { failure }) });
  }
  return judge.judge();
}

const fine = (count: number, from = 0): readonly Seen[] =>
  Array.from({ length: count }, (_, caller) => ({ caller: from + caller }));
const bad = (count: number, failure: Failure = 'error', from = 0): readonly Seen[] =>
  fine(count, from).map((seen) => ({ ...seen, failure }));
/** No two failures one after the other. */
const mixed = (count: number, failure?: Failure): readonly Seen[] =>
  fine(count).map((seen, index) => (index % 2 === 0 && failure !== undefined ? { ...seen, failure } : seen));

describe('what it says', () => {
  test('after five callers in a row, or three with whom its thread went down', () => {
    expect(verdictOn(bad(4)).kind).toBe('healthy');
    expect(verdictOn(bad(5))).toMatchObject({
      kind: 'rollback',
      reason: 'the new version failed 5 callers in a row and answered none between',
    });
    expect(verdictOn(bad(3, 'crash')).reason).toMatch(
      /3 callers in a row, with 3 of them took its thread down/,
    );
    const broken = [...fine(400, 100), ...bad(4), ...fine(1, 50), ...bad(2, 'error', 60)];
    expect(verdictOn(broken).kind).toBe('healthy');
  });

  test('nothing after five failures of one caller, and of a version whose predecessor failed as often', () => {
    expect(verdictOn(Array.from({ length: 50 }, () => ({ caller: 1, failure: 'error' }))).kind).toBe(
      'healthy',
    );
    expect(verdictOn(bad(5), { before: { trials: 100, failed: { error: 60, nan: 0 } } }).kind).toBe(
      'healthy',
    );
  });

  test.each(['error', 'nan'] as const)('with the numbers, of %s', (failure) => {
    const { kind, metric, reason } = verdictOn(mixed(40, failure));
    expect([kind, metric]).toEqual(['rollback', failure]);
    expect(reason).toMatch(
      / for 20 of 40 callers of a minute, the one before for [04] of 2000 callers of a minute; one that did so at most 1.2 times as often would look like this with a chance of [\d.e-]+ at most$/,
    );
  });

  test.each<[NonNullable<JudgeSettings['metrics']>, Verdict['kind']]>([
    [{ nan: { role: 'signal' } }, 'pause'],
    [{ nan: { role: 'health' } }, 'hold'],
    [{ nan: { role: 'none' } }, 'healthy'],
    [{ nan: { tolerated: 100 } }, 'healthy'],
  ])('what was signed: %j is %s', (metrics, kind) => {
    expect(verdictOn(mixed(40, 'nan'), { settings: { metrics } }).kind).toBe(kind);
  });

  test('where nothing was counted before, that only failures in a row would be seen', () => {
    const before = { trials: 0, failed: { error: 0, nan: 0 } };
    expect(verdictOn(mixed(40, 'error'), { before })).toMatchObject({
      kind: 'healthy',
      reason: expect.stringMatching(/nothing was counted of the version before/) as unknown,
    });
    expect(verdictOn(bad(5), { before }).kind).toBe('rollback');
  });

  test('of a preview: that it needs more requests, and what one person found', () => {
    const preview = { unit: 'request', requestsMin: 20 } as const;
    const one = (count: number, failure?: Failure): readonly Seen[] =>
      Array.from({ length: count }, () => ({ caller: 1, ...(failure !== undefined && { failure }) }));
    expect(verdictOn(one(19), preview)).toMatchObject({
      kind: 'hold',
      reason: expect.stringMatching(/it got 19 of the 20 requests needed$/) as unknown,
    });
    expect(verdictOn(one(20), preview).kind).toBe('healthy');
    expect(verdictOn(one(5, 'error'), preview).reason).toMatch(/failed 5 requests in a row/);
    const everyFifth = Array.from({ length: 40 }, (_, index) =>
      one(1, index % 5 === 0 ? 'error' : undefined),
    ).flat();
    expect(verdictOn(everyFifth, preview).reason).toMatch(
      /failed for 8 of 40 requests, the one before for 4 of 2000/,
    );
  });
});
