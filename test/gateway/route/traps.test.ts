/**
 * Mistakes that other ways to divide traffic made, each as a test that it is not made here. Those that stand elsewhere by their
 * own name: no key, salts, the type and the delimiter of a key, ramps that move keys back.
 */
import { expect, test } from 'vitest';
import { RolloutWatch } from '../../../gateway/live/rollouts/rollout-watch.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { TrafficSplit } from '../../../gateway/route/traffic-split.ts';

function candidateKeys(trafficBps: number, rolloutId = 'r1', keys = 100_000): readonly number[] {
  const split = new TrafficSplit({ rolloutId, stable: 'one', candidate: 'two', trafficBps });
  const headers = new Map<string, string>();
  return Array.from({ length: keys }, (_, user) => user).filter((user) => {
    const chosen = split.choose({ headers, key: `user-${user}` });
    return chosen.value === 'two';
  });
}

test('a hundred buckets: a share of a hundredth of a percent is no percent and not nothing', () => {
  const met = candidateKeys(1).length;
  // 10 wanted of 100,000, standard error 3.2.
  expect(met).toBeGreaterThan(0);
  expect(met).toBeLessThan(20);
});

test('100 to 0 taken for "not set": no share is no key, the whole share is every key, and an edit replaces', () => {
  expect([0, 10_000].map((bps) => candidateKeys(bps, 'r1', 2000).length)).toEqual([0, 2000]);
  const edited = [5000, 100, 5000].map((bps) => candidateKeys(bps, 'r1', 2000));
  expect(edited[2]).toEqual(edited[0]);
  expect(edited[1]!.length).toBeLessThan(60);
});

test('unsalted: who meets one release first is not who meets the next one first', () => {
  const [one, next] = [new Set(candidateKeys(1000, 'r1', 20_000)), candidateKeys(1000, 'r2', 20_000)];
  const both = next.filter((user) => one.has(user)).length;
  // A tenth of a tenth, 200, standard error 14.
  expect(Math.abs(both - 200)).toBeLessThan(60);
});

test('one hash for two questions: the unit of analysis cannot be read off the bucket', () => {
  const watch = new RolloutWatch({
    share: 0.1,
    judge: new CanaryJudge(),
    costs: [],
    rollBack: () => undefined,
  });
  const hashes = candidateKeys(1000, 'r1', 20_000).map(
    (user) => watch.trial('stable', `user-${user}`).keyHash,
  );
  // The candidate has the lowest tenth of the buckets: of the hashes that it is judged by, half are in the lower half.
  const low = hashes.filter((hash) => hash < 2 ** 31).length;
  expect(Math.abs(low - hashes.length / 2)).toBeLessThan(100);
  expect(hashes.length).toBeGreaterThan(1800);
});

test('drained by cookies: the share of the candidate stays, however often callers come', () => {
  const first = candidateKeys(1000, 'r1', 2000);
  for (let visit = 0; visit < 5; visit += 1) expect(candidateKeys(1000, 'r1', 2000)).toEqual(first);
});
