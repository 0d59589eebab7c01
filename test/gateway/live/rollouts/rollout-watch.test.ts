/** What becomes evidence for and against a candidate, and that it is acted on once. */
import { describe, expect, test } from 'vitest';
import type { Answered } from '../../../../gateway/dispatch/trial.ts';
import { RolloutWatch } from '../../../../gateway/live/rollouts/rollout-watch.ts';
import { CanaryJudge } from '../../../../gateway/rollout/canary-judge.ts';
import { type ErrorCode, errorTable } from '../../../../gateway/wire/error-code.ts';

function watched(): {
  readonly watch: RolloutWatch;
  readonly judge: CanaryJudge;
  readonly reasons: readonly string[];
} {
  const reasons: string[] = [];
  const judge = new CanaryJudge();
  const watch = new RolloutWatch({
    share: 0.1,
    judge,
    costs: [],
    rollBack: (reason) => {
      reasons.push(reason);
    },
  });
  return { watch, judge, reasons };
}

const blamed: readonly ErrorCode[] = ['MODEL_FAILED', 'WORKER_LOST'];
const codes = (Object.keys(errorTable) as ErrorCode[]).map((code) => [code, blamed.includes(code)] as const);

describe('RolloutWatch', () => {
  test.each(codes)('20 callers who get %s from the candidate: it is blamed: %s', (code, isBlamed) => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 20; user += 1) {
      watch.ended(watch.trial('candidate', `user-${user}`), code, user);
    }
    expect(reasons).toHaveLength(isBlamed ? 1 : 0);
  });

  test('the same from the stable version is no reason to leave it', () => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 200; user += 1) {
      watch.ended(watch.trial('stable', `user-${user}`), 'MODEL_FAILED', user);
    }
    expect(reasons).toEqual([]);
  });

  test('an outcome counts at the share of the time when the request was routed', () => {
    const { watch } = watched();
    const before = watch.trial('stable', 'ada');
    watch.setShare(0.5, 0);
    expect([before.share, watch.trial('stable', 'ada').share]).toEqual([0.1, 0.5]);
  });

  test('what the live version did is kept, a caller as the unit, for when nobody is on it any more', () => {
    const { watch } = watched();
    for (let request = 0; request < 100; request += 1) {
      const outcome = request < 50 ? 'OK' : 'MODEL_FAILED';
      watch.ended(watch.trial('stable', `user-${request % 10}`), outcome, 0);
      watch.ended(watch.trial('candidate', `friend-${request}`), 'OK', 0);
    }
    // Ten callers in one minute, each judged by its first request.
    expect(watch.reference).toEqual({ trials: 10, failed: { error: 0, nan: 0 } });
    watch.ended(watch.trial('stable', 'user-0'), 'WORKER_LOST', 60_000);
    expect(watch.reference).toEqual({ trials: 11, failed: { error: 1, nan: 0 } });
  });

  const fine: Answered = { isFinite: true, runMs: 1, batchRows: 1, predictedClass: 0, score: undefined };

  test('answers that are not finite are failures of the version, whatever their status', () => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 20; user += 1) {
      watch.ended(watch.trial('candidate', `user-${user}`), 'OK', user, { ...fine, isFinite: false });
    }
    expect(reasons).toHaveLength(1);
    expect(watch.totals.notFinite.candidate).toBe(5);
  });

  test('a candidate that is five times slower goes back, once, with the numbers', () => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 3000; user += 1) {
      const arm = user % 10 === 0 ? 'candidate' : 'stable';
      const runMs = (1 + (user % 7) / 10) * (arm === 'candidate' ? 5 : 1);
      watch.ended(watch.trial(arm, `user-${user}`), 'OK', user, { ...fine, runMs });
    }
    expect(watch.look(3000).kind).toBe('rollback');
    expect(reasons[0]).toMatch(/^the candidate took longer than [\d.]+ ms in \d+ of \d+ runs, the stable/);
    watch.look(3000);
    expect(reasons).toHaveLength(1);
  });

  test('larger batches alone are not slower: a run counts as what one row would take', () => {
    const reasons: string[] = [];
    const costs = [1, 16, 64].map((rows) => ({ rows, us: 100 + 100 * rows }));
    const rollBack = (reason: string): void => void reasons.push(reason);
    const watch = new RolloutWatch({ share: 0.5, judge: new CanaryJudge(), costs, rollBack });
    for (let user = 0; user < 4000; user += 1) {
      const arm = user % 2 === 0 ? 'candidate' : 'stable';
      const batchRows = arm === 'candidate' ? 32 : 2;
      const runMs = (0.1 + 0.1 * batchRows) * (1 + (user % 7) / 10);
      watch.ended(watch.trial(arm, `user-${user}`), 'OK', user, { ...fine, runMs, batchRows });
    }
    expect(watch.look(4000).kind).not.toBe('rollback');
    expect(reasons).toEqual([]);
  });

  test('a slow run is one observation, however many callers share it', () => {
    const { watch, judge, reasons } = watched();
    const run = (arm: 'candidate' | 'stable', callers: number, runMs: number): void => {
      for (let user = 0; user < callers; user += 1) {
        watch.ended(watch.trial(arm, `${arm}-${user}-${runMs}`), 'OK', 0, { ...fine, runMs });
      }
    };
    for (let times = 0; times < 6; times += 1) run('stable', 100, 1 + times / 10);
    run('candidate', 140, 5);
    run('stable', 300, 1);
    run('candidate', 140, 6);
    expect(watch.look(0).kind).not.toBe('rollback');
    expect(reasons).toEqual([]);
    expect(judge.snapshot().metrics.latency.observed).toEqual({ candidate: 2, stable: 2 });
  });

  test('three callers with whom it took its thread down are enough, unless the live version does so too', () => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 3; user += 1) {
      expect(reasons).toEqual([]);
      watch.ended(watch.trial('candidate', `user-${user}`), 'WORKER_LOST', user);
    }
    expect(reasons[0]).toMatch(/3 callers in a row, with 3 of them took its thread down/);
    expect(watch.totals.crashed).toEqual({ candidate: 3, stable: 0 });
    const other = watched();
    for (let user = 0; user < 4; user += 1) {
      other.watch.ended(other.watch.trial('stable', `friend-${user}`), 'WORKER_LOST', user);
      other.watch.ended(other.watch.trial('candidate', `user-${user}`), 'WORKER_LOST', user);
    }
    expect(other.reasons).toEqual([]);
  });
});
