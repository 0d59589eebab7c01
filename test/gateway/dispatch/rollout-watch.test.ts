/** What becomes evidence for and against a candidate, and that it is acted on once. */
import { describe, expect, test } from 'vitest';
import { RolloutWatch } from '../../../gateway/dispatch/rollout-watch.ts';
import { type ErrorCode, errorTable } from '../../../gateway/wire/error-code.ts';

function watched(): { readonly watch: RolloutWatch; readonly reasons: readonly string[] } {
  const reasons: string[] = [];
  const watch = new RolloutWatch({
    share: 0.1,
    rollBack: (reason) => {
      reasons.push(reason);
    },
  });
  return { watch, reasons };
}

const blamed: readonly ErrorCode[] = ['MODEL_FAILED', 'WORKER_LOST'];
const codes = (Object.keys(errorTable) as ErrorCode[]).map((code) => [code, blamed.includes(code)] as const);

describe('RolloutWatch', () => {
  test.each(codes)('20 callers who get %s from the candidate: it is blamed: %s', (code, isBlamed) => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 20; user += 1) watch.ended(watch.trial('candidate', `user-${user}`), code);
    expect(reasons).toHaveLength(isBlamed ? 1 : 0);
  });

  test('the same from the stable version is no reason to leave it', () => {
    const { watch, reasons } = watched();
    for (let user = 0; user < 200; user += 1) {
      watch.ended(watch.trial('stable', `user-${user}`), 'MODEL_FAILED');
    }
    expect(reasons).toEqual([]);
  });

  test('an outcome counts at the share of the time when the request was routed', () => {
    const { watch } = watched();
    const before = watch.trial('stable', 'ada');
    watch.setShare(0.5);
    expect([before.share, watch.trial('stable', 'ada').share]).toEqual([0.1, 0.5]);
  });
});
