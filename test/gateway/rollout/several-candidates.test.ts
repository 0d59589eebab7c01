/** Several candidates judged at once, seeded: any of two that are alike is seldom dropped, and a bad one is, alone. */
import { expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { judgeOptions } from '../../../gateway/rollout/judge-options.ts';
import { judgeSettings } from '../../../gateway/rollout/judge-settings.ts';
import { manyRuns, mixedHash } from './simulated-traffic.ts';

/** Which of the candidates are dropped; each has a tenth of the keys. Chronic callers fail whomever they meet. */
function dropped(seed: number, rates: readonly [number, ...number[]], stableRate: number): readonly number[] {
  const random = seededRandom(seed);
  const keys = 2000;
  const armOf = Array.from({ length: keys }, () => Math.floor(random.next() * 10));
  const isChronic = Array.from({ length: keys }, () => random.next() < 0.01);
  const share = 0.1 / (0.1 + 1 - rates.length / 10);
  const judges = rates.map(() => new CanaryJudge(judgeSettings(undefined, rates.length)));
  const out = new Set<number>();
  for (let request = 0; request < 3000; request += 1) {
    // Few of them send most.
    const key = Math.floor(keys ** random.next() - 1);
    const arm = armOf[key] ?? 0;
    const failed = isChronic[key] === true || random.next() < (rates[arm] ?? stableRate);
    const outcome = { share, keyHash: mixedHash(key), failed, nowMs: request * 200 };
    for (const [index, judge] of judges.entries()) {
      if (arm >= rates.length) judge.record({ ...outcome, arm: 'stable' });
      else if (arm === index) {
        judge.record({ ...outcome, arm: 'candidate' });
        if (failed && judge.judge(outcome.nowMs).kind === 'rollback') out.add(index);
      }
    }
  }
  return [...out];
}

test('two that are alike are both kept in all but 1 % of the runs and three standard errors', () => {
  const runs = manyRuns(50);
  const wrong = Array.from({ length: runs }, (_, run) => dropped(run + 1, [0.02, 0.02], 0.02)).filter(
    (out) => out.length > 0,
  );
  expect(wrong.length).toBeLessThanOrEqual(runs * (0.01 + 3 * Math.sqrt((0.01 * 0.99) / runs)));
}, 120_000);

test('of three the one that fails far more often is dropped, the others stay', () => {
  const runs = 30;
  const outs = Array.from({ length: runs }, (_, run) => dropped(run + 1, [0.02, 0.4, 0.02], 0.02));
  expect(outs.filter((out) => out.includes(1)).length).toBeGreaterThanOrEqual(0.98 * runs);
  expect(outs.filter((out) => out.includes(0) || out.includes(2)).length).toBeLessThanOrEqual(2);
}, 120_000);

test('the error is divided by the number of candidates', () => {
  const whole = judgeOptions({}).falseAlarmMax;
  expect(judgeOptions(judgeSettings(undefined, 4)).falseAlarmMax).toBe(whole / 4);
  expect(judgeOptions(judgeSettings(undefined)).falseAlarmMax).toBe(whole);
});
