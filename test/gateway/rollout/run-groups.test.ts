/** Which runs are compared with each other, and that identical versions are not told apart by it. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import type { Arm } from '../../../gateway/rollout/arm-evidence.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { judgeOptions } from '../../../gateway/rollout/judge-options.ts';
import { RunGroups } from '../../../gateway/rollout/run-groups.ts';
import { murmur3 } from '../../../gateway/route/murmur3.ts';
import { manyRuns } from './simulated-traffic.ts';

type Group = readonly [candidateMs: number, stableMs: readonly number[]];

function grouping(): {
  readonly groups: readonly Group[];
  readonly run: (arm: Arm, ms: number, keys: readonly string[]) => void;
} {
  const groups: Group[] = [];
  const runs = new RunGroups(judgeOptions({}), (candidateMs, stableMs) => {
    groups.push([candidateMs, stableMs]);
  });
  const run = (arm: Arm, ms: number, keys: readonly string[]): void => {
    for (const key of keys) runs.answered({ arm, keyHash: murmur3(key, 7), nowMs: 0, serviceMs: ms });
  };
  return { groups, run };
}

test('a run of the candidate is set against those of the stable version since the one before, each once', () => {
  const { groups, run } = grouping();
  run('candidate', 9, ['a']);
  run('stable', 1, ['b', 'c']);
  run('stable', 2, ['d', 'e']);
  run('candidate', 5, ['f', 'g', 'h']);
  run('candidate', 6, ['i']);
  run('stable', 3, ['j']);
  run('candidate', 7, ['k']);
  expect(groups).toEqual([
    [5, [1, 2]],
    [7, [3]],
  ]);
});

test('of many runs of the stable version the last 32 count', () => {
  const { groups, run } = grouping();
  for (let ms = 1; ms <= 40; ms += 1) run('stable', ms, [`user-${ms}`]);
  run('candidate', 50, ['f']);
  expect(groups).toEqual([[50, Array.from({ length: 32 }, (_, index) => index + 9)]]);
});

test('a caller counts once in a window; the run then counts for another of its callers', () => {
  const { groups, run } = grouping();
  run('stable', 1, ['a']);
  run('candidate', 5, ['f']);
  run('stable', 2, ['a']);
  run('candidate', 6, ['f', 'g']);
  expect(groups).toEqual([[5, [1]]]);
  run('stable', 3, ['a', 'b']);
  run('candidate', 7, ['f', 'h']);
  expect(groups[1]).toEqual([7, [3]]);
});

/** Bursts of callers in batches, of two versions with the same distribution of run times, one tenth of them stalled. */
function isRolledBack(seed: number, factor: number, batches: number): boolean {
  const random = seededRandom(seed);
  const judge = new CanaryJudge();
  let caller = 0;
  for (let batch = 0; batch < batches; batch += 1) {
    const arm = random.next() < 0.4 ? 'candidate' : 'stable';
    const runMs = (1 + random.next()) * (random.next() < 0.1 ? 20 : 1) * (arm === 'candidate' ? factor : 1);
    const rows = arm === 'candidate' ? 8 : 50;
    for (let row = 0; row < rows; row += 1) {
      caller += 1;
      const keyHash = murmur3(`user-${caller}`, 7);
      judge.record({ arm, share: 0.1, keyHash, failed: false, serviceMs: runMs });
    }
    if (judge.judge(0).kind === 'rollback') return true;
  }
  return false;
}

test('in bursts that run as large batches, identical versions stay and one that is five times slower goes', () => {
  const seeds = Array.from({ length: manyRuns(25) }, (_, index) => index + 1);
  // One in a hundred at most, and three standard errors of that.
  const most = seeds.length * (0.01 + 3 * Math.sqrt((0.01 * 0.99) / seeds.length));
  expect(seeds.filter((seed) => isRolledBack(seed, 1, 400)).length).toBeLessThanOrEqual(most);
  expect(seeds.filter((seed) => isRolledBack(seed, 5, 4000))).toHaveLength(seeds.length);
});
