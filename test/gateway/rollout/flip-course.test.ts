/** When a node flips by itself and when its watch is over: on time, on evidence, and not before. */
import { describe, expect, test } from 'vitest';
import { nextOfPreview, nextOfWatch } from '../../../gateway/rollout/flip-course.ts';

const reference = { trials: 40, failed: { error: 1, nan: 0 } };
const unwatched = { autoAfterMs: 1000, previewRequestsMin: 5 };
const flip = { ...unwatched, watchMs: 5000 };
const state = { sinceMs: 100 };

describe('a preview', () => {
  test('flips when it was held and is healthy, with what the version before did until then', () => {
    const moment = { nowMs: 1100, verdict: 'healthy', reference } as const;
    expect(nextOfPreview(flip, state, moment)).toEqual({ sinceMs: 1100, reference });
  });

  test('is complete with the flip when nothing is to be watched', () => {
    const moment = { nowMs: 1100, verdict: 'healthy', reference } as const;
    expect(nextOfPreview(unwatched, state, moment)).toEqual({ sinceMs: 1100, reference, isComplete: true });
  });

  test.each(['hold', 'pause', 'rollback', 'promote'] as const)('stays while the judge says %s', (verdict) => {
    expect(nextOfPreview(flip, state, { nowMs: 99_999, verdict, reference })).toBe(state);
  });

  test('stays before its time, and for ever when nobody signed that nodes flip', () => {
    const moment = { nowMs: 1099, verdict: 'healthy', reference } as const;
    expect(nextOfPreview(flip, state, moment)).toBe(state);
    const manual = { previewRequestsMin: 5 };
    expect(nextOfPreview(manual, state, { ...moment, nowMs: 1e12 })).toBe(state);
  });

  test('is held anew after a clock was set back, not until that time comes again', () => {
    expect(nextOfPreview(flip, state, { nowMs: 50, verdict: 'healthy', reference })).toEqual({ sinceMs: 50 });
  });
});

describe('a watch', () => {
  const flipped = { sinceMs: 100, reference };

  test('is over after its time, when nothing is wrong', () => {
    expect(nextOfWatch(5000, flipped, { nowMs: 5099, verdict: 'healthy' })).toBe(flipped);
    expect(nextOfWatch(5000, flipped, { nowMs: 5100, verdict: 'pause' })).toBe(flipped);
    const over = { ...flipped, isComplete: true };
    expect(nextOfWatch(5000, flipped, { nowMs: 5100, verdict: 'healthy' })).toEqual(over);
  });

  test('that is over stays so', () => {
    const over = { ...flipped, isComplete: true } as const;
    expect(nextOfWatch(5000, over, { nowMs: 0, verdict: 'healthy' })).toBe(over);
  });
});
