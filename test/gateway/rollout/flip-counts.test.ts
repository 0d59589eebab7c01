/** Several processes of a node judge a version after its flip as one would, on counts that add up. */
import { describe, expect, test } from 'vitest';
import { CallerRates } from '../../../gateway/rollout/caller-rates.ts';
import {
  failedCallersLeast,
  type FlipCounts,
  mergeFlipCounts,
  readFlipCounts,
} from '../../../gateway/rollout/flip-counts.ts';
import { ReferenceJudge } from '../../../gateway/rollout/reference-judge.ts';
import { mergeShared, readShared, sharedJson } from '../../../gateway/rollout/shared-counts.ts';
import { mixedHash } from './simulated-traffic.ts';

const reference = { trials: 500, failed: { error: 5, nan: 0 } };

function judge(): ReferenceJudge {
  return new ReferenceJudge({ unit: 'caller', reference: () => reference, requestsMin: 0 });
}

/** Callers `from` to `to`, of whom every third meets a failure. */
function meet(one: ReferenceJudge, from: number, to: number): void {
  for (let caller = from; caller < to; caller += 1) {
    const failed = caller % 3 === 0;
    one.record({
      ...{ arm: 'candidate', share: 1, keyHash: mixedHash(caller), failed },
      ...(failed && { failure: 'error' }),
    });
  }
}

test('two processes judge by what both counted as one would that counted all', () => {
  const [one, other, whole] = [judge(), judge(), judge()];
  meet(one, 0, 24);
  meet(other, 24, 48);
  meet(whole, 0, 48);
  expect(whole.judge()).toMatchObject({ kind: 'rollback', metric: 'error' });
  for (const [own, others] of [
    [one, other],
    [other, one],
  ] as const) {
    own.setOthers(readShared({ rolloutId: 'r', flip: others.flipCounts }));
    expect(own.judge()).toEqual(whole.judge());
    expect(own.totals).toEqual(whole.totals);
  }
  one.setOthers(undefined);
  expect(one.totals.requests.candidate).toBe(24);
});

test('a few callers who fail at every process are no more than a few callers', () => {
  const four = Array.from({ length: 4 }, () => {
    const each = judge();
    for (let caller = 0; caller < 3; caller += 1)
      each.record({ arm: 'candidate', share: 1, keyHash: mixedHash(caller), failed: true, failure: 'error' });
    for (let caller = 3; caller < 20; caller += 1)
      each.record({ arm: 'candidate', share: 1, keyHash: mixedHash(caller), failed: false });
    return each;
  });
  const [first, ...others] = four.map((each) => each.flipCounts) as [FlipCounts, ...FlipCounts[]];
  const together = others.reduce(mergeFlipCounts);
  expect([together.failedCallers.error, failedCallersLeast(together, 'error')]).toEqual([9, 3]);
  expect(failedCallersLeast(mergeFlipCounts(first, together), 'error')).toBe(3);
  four[0]?.setOthers({ flip: together });
  expect(four[0]?.judge().kind).toBe('healthy');
});

test('of several processes each counts a caller less often, so that it has no more weight', () => {
  const trials = (processes: number): number => {
    const rates = new CallerRates('caller', processes);
    for (let minute = 0; minute < 12; minute += 1) rates.add(7, minute * 60_000, undefined);
    return rates.counts.trials;
  };
  expect([trials(1), trials(4)]).toEqual([12, 3]);
});

test('copies are held against the callers of whose requests they are, not against all', () => {
  const mirrored = new ReferenceJudge({
    ...{ unit: 'caller', beside: 'copies', requestsMin: 10 },
    reference: () => ({ trials: 1_000_000, failed: { error: 0, nan: 0 } }),
  });
  // A third of these callers sends what both versions fail for.
  for (let caller = 0; caller < 300; caller += 1) {
    const failed = caller % 3 === 0;
    const same = {
      share: 0,
      keyHash: mixedHash(caller),
      failed,
      ...(failed && { failure: 'error' as const }),
    };
    mirrored.record({ ...same, arm: 'stable', isCopied: true });
    mirrored.record({ ...same, arm: 'candidate' });
  }
  expect(mirrored.judge()).toMatchObject({
    kind: 'healthy',
    reason: expect.stringContaining(
      '100 of 300 callers of a minute, the one before for 100 of 300',
    ) as unknown,
  });
  const restarted = new ReferenceJudge({
    ...{ unit: 'caller', beside: 'copies', requestsMin: 10 },
    reference: () => reference,
  });
  expect(restarted.resume(structuredClone(mirrored.keep()))).toBe(true);
  expect(restarted.judge()).toEqual(mirrored.judge());
});

describe('what another process says', () => {
  const one = judge();
  meet(one, 0, 9);
  const counts = one.flipCounts;

  test('is read back as it was, and adds up with what is missing', () => {
    const shared = sharedJson('r', { flip: counts, reference });
    const read = readShared(JSON.parse(JSON.stringify(shared)) as typeof shared);
    expect(read).toEqual({ flip: counts, reference });
    expect(mergeShared(read, {})).toEqual(read);
    expect(mergeShared(read, read).reference).toEqual({ trials: 1000, failed: { error: 10, nan: 0 } });
  });

  test.each([
    null,
    {},
    { ...counts, processes: 0 },
    { ...counts, rates: {} },
    { ...counts, copied: { trials: -1 } },
    { ...counts, failedCallers: { error: 1 } },
    { ...counts, failedCallersMost: undefined },
    { ...counts, totals: { ...counts.totals, requests: 3 } },
    { ...counts, totals: { ...counts.totals, candidateKeys: 0.5 } },
  ])('is not taken when it is %j', (value) => {
    expect(readFlipCounts(value)).toBeUndefined();
  });
});
