/** What was signed, as the judge takes it: other actions, other tolerance, nothing where nothing was said. */
import { expect, test } from 'vitest';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import { judgeSettings } from '../../../gateway/rollout/judge-settings.ts';
import type { RolloutAnalysis } from '../../../registry-store/manifest/rollout-analysis.ts';

/** 4,000 callers, half of whom meet the candidate, which fails 20 times as often as the live version. */
function verdict(analysis?: RolloutAnalysis): string {
  const judge = new CanaryJudge(judgeSettings(analysis));
  for (let key = 0; key < 4000; key += 1) {
    const arm = key % 2 === 0 ? 'candidate' : 'stable';
    const failed = key % 400 === 1 || (arm === 'candidate' && key % 20 === 0);
    judge.record({ arm, share: 0.5, keyHash: Math.imul(key, 2_654_435_761) >>> 0, failed });
  }
  return judge.judge().kind;
}

test('by default errors go back', () => {
  expect(judgeSettings(undefined)).toEqual({ metrics: {} });
  expect(verdict()).toBe('rollback');
});

test.each([
  ['pause', 'pause'],
  ['hold', 'hold'],
  ['ignore', 'healthy'],
] as const)('with the action %s the verdict is %s', (action, kind) => {
  expect(verdict({ gates: { error: { action } } })).toBe(kind);
});

test('what is tolerated is not held against it, and more callers are waited for where that was signed', () => {
  expect(verdict({ gates: { error: { action: 'rollback', toleratedPercent: 10_000 } } })).toBe('healthy');
  expect(verdict({ callersMin: 3000 })).toBe('hold');
});
