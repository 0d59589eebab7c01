/** A judge that goes on from what another kept: the same as one that never stopped. */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';
import { CanaryJudge } from '../../../gateway/rollout/canary-judge.ts';
import type { Judge, Outcome } from '../../../gateway/rollout/judge.ts';
import { countsJson, readCounts } from '../../../gateway/rollout/judge-counts.ts';
import type { Kept } from '../../../gateway/rollout/kept.ts';
import { ReferenceJudge } from '../../../gateway/rollout/reference-judge.ts';
import { mixedHash } from './simulated-traffic.ts';

/** As it comes back from a disk. */
function overRestart({ counts, tables }: Kept): Kept {
  return {
    counts: JSON.parse(JSON.stringify(counts)) as unknown,
    tables: tables.map((table) => table.slice()),
  };
}

/** Some callers come often, every twentieth always fails. */
function outcomes(requests: number, { classes }: { readonly classes: boolean }): readonly Outcome[] {
  const random = seededRandom(5);
  return Array.from({ length: requests }, (_, request) => {
    const key = Math.floor(random.next() ** 3 * 800);
    const share = request < requests / 2 ? 0.1 : 0.25;
    return {
      arm: mixedHash(key + 9_000_000) / 2 ** 32 < share ? 'candidate' : 'stable',
      share,
      keyHash: mixedHash(key),
      failed: key % 20 === 0 || random.next() < 0.01,
      nowMs: request * 40,
      serviceMs: 5 + random.next() * 10,
      ...(classes ? { predictedClass: random.below(4) } : { score: random.next() }),
    };
  });
}

describe('a canary judge', () => {
  test.each([true, false])('counts on after restarts as if there had been none, classes: %s', (classes) => {
    const all = outcomes(9000, { classes });
    const whole = new CanaryJudge();
    let judge = new CanaryJudge();
    whole.beginStep(0);
    judge.beginStep(0);
    for (const [index, outcome] of all.entries()) {
      whole.record(outcome);
      judge.record(outcome);
      // The runs that wait for one of the candidate are not kept: restart where none does.
      if (index < 1500 || index % 1500 > 200 || outcome.arm !== 'candidate' || outcome.failed) continue;
      const next = new CanaryJudge();
      expect(next.resume(overRestart(judge.keep()))).toBe(true);
      judge = next;
    }
    const [one, other] = [judge.snapshot(), whole.snapshot()];
    expect({ ...one, metrics: { ...one.metrics, latency: 0 } }).toEqual({
      ...other,
      metrics: { ...other.metrics, latency: 0 },
    });
    expect(one.metrics.latency.observed.candidate).toBeGreaterThan(100);
    expect(judge.judge(400_000).kind).toBe(whole.judge(400_000).kind);
    expect(judge.totals).toEqual(whole.totals);
  });

  test('does not let a caller who always fails count anew with each restart', () => {
    let judge = new CanaryJudge({ candidateKeysMin: 0 });
    for (let restart = 0; restart < 50; restart += 1) {
      for (let request = 0; request < 20; request += 1) {
        const base = { share: 0.1, nowMs: restart * 1000 };
        judge.record({ ...base, arm: 'candidate', keyHash: mixedHash(1), failed: true });
        judge.record({ ...base, arm: 'candidate', keyHash: mixedHash(2), failed: false });
      }
      const next = new CanaryJudge({ candidateKeysMin: 0 });
      expect(next.resume(overRestart(judge.keep()))).toBe(true);
      judge = next;
    }
    const { events } = judge.snapshot().metrics.error.channels[0]!;
    expect(events).toEqual([{ share: 0.1, candidate: 1, stable: 0 }]);
    expect(judge.judge(50_000).kind).not.toBe('rollback');
  });

  test('takes nothing from what is not its own', () => {
    const judge = new CanaryJudge();
    for (const outcome of outcomes(1000, { classes: true })) judge.record(outcome);
    const kept = judge.keep();
    const spoilt: readonly Kept[] = [
      { ...kept, counts: null },
      { ...kept, counts: { ...(kept.counts as object), kind: 'caller' } },
      { ...kept, counts: { ...(kept.counts as object), requests: [1, -1] } },
      { ...kept, counts: { ...(kept.counts as object), callers: [[2, 0, 0]] } },
      { ...kept, tables: kept.tables.slice(1) },
      { ...kept, tables: kept.tables.map((table) => table.subarray(1)) },
    ];
    for (const each of spoilt) {
      const next = new CanaryJudge();
      expect(next.resume(each)).toBe(false);
      expect(next.totals.requests).toEqual({ candidate: 0, stable: 0 });
    }
  });
});

describe('a reference judge', () => {
  const judgeOf = (unit: 'caller' | 'request'): ReferenceJudge =>
    new ReferenceJudge({
      unit,
      reference: () => ({ trials: 2000, failed: { error: 20, nan: 0 } }),
      requestsMin: 0,
    });

  test.each(['caller', 'request'] as const)('of the unit %s counts on after restarts', (unit) => {
    const whole = judgeOf(unit);
    let judge: Judge = judgeOf(unit);
    for (let request = 0; request < 600; request += 1) {
      const isFailed = request % 9 === 0;
      const outcome: Outcome = {
        arm: 'candidate',
        share: 1,
        keyHash: mixedHash(request % 150),
        failed: isFailed,
        ...(isFailed && { failure: 'error' }),
        nowMs: request * 300,
      };
      whole.record(outcome);
      judge.record(outcome);
      if (request % 100 !== 50) continue;
      const next = judgeOf(unit);
      expect(next.resume(overRestart(judge.keep()))).toBe(true);
      judge = next;
    }
    expect(judge.totals).toEqual(whole.totals);
    expect(judge.judge(0)).toEqual(whole.judge());
    expect(whole.judge().kind).toBe('rollback');
  });

  test('does not go on from a judge with another unit', () => {
    expect(judgeOf('caller').resume(overRestart(judgeOf('request').keep()))).toBe(false);
    expect(judgeOf('caller').resume(overRestart(new CanaryJudge().keep()))).toBe(false);
  });
});

test('counts are read back from JSON as they were', () => {
  const judge = new CanaryJudge();
  for (const outcome of outcomes(3000, { classes: true })) judge.record(outcome);
  const snapshot = judge.snapshot();
  expect(readCounts(JSON.parse(JSON.stringify(countsJson(snapshot))))).toEqual(snapshot);
});
