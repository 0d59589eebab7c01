/** Which failures are worth another attempt, and how long to wait for it. */
import { describe, expect, test } from 'vitest';
import { RetryPolicy } from '../../client/retry-policy.ts';
import { TidegateError, type TidegateErrorDetails } from '../../client/tidegate-error.ts';

test.each([
  ['CONNECTION_LOST', {}, true],
  ['QUEUE_FULL', {}, true],
  ['QUEUE_FULL', { status: 503 }, true],
  ['SLOW_READER', {}, true],
  ['HTTP_ERROR', { status: 429 }, true],
  ['HTTP_ERROR', { status: 502 }, true],
  ['HTTP_ERROR', { status: 500 }, false],
  ['MODEL_FAILED', { status: 500 }, false],
  ['SHAPE_MISMATCH', { status: 400 }, false],
  ['INVALID_RESPONSE', { status: 503 }, false],
  ['ABORTED', {}, false],
  ['OF_A_LATER_VERSION', { retryAfterMs: 5 }, true],
  ['OF_A_LATER_VERSION', {}, false],
] satisfies [string, TidegateErrorDetails, boolean][])(
  '%s with %j: retryable is %s',
  (code, details, wanted) => {
    expect(new TidegateError(code, 'm', details).isRetryable).toBe(wanted);
  },
);

describe('the wait', () => {
  const lost = new TidegateError('CONNECTION_LOST', 'm');

  test('is anywhere in a range that doubles up to its cap', () => {
    const waits = (random: number): (number | undefined)[] => {
      const policy = new RetryPolicy({ attemptsMax: 6, baseMs: 100, capMs: 500 }, () => random);
      return [1, 2, 3, 4, 5, 6].map((made) => policy.delayMs(lost, made));
    };
    expect(waits(0)).toEqual([0, 0, 0, 0, 0, undefined]);
    expect(waits(0.5)).toEqual([50, 100, 200, 250, 250, undefined]);
  });

  test('is never shorter than what the server asks for', () => {
    const policy = new RetryPolicy({ baseMs: 100 }, () => 0.5);
    expect(policy.delayMs(new TidegateError('QUEUE_FULL', 'm', { retryAfterMs: 1000 }), 1)).toBe(1050);
  });

  test('does not come where it cannot help', () => {
    const policy = new RetryPolicy({}, () => 0);
    expect(policy.delayMs(new TidegateError('SHAPE_MISMATCH', 'm'), 1)).toBeUndefined();
    // Worth another call with more time, but that time is the caller's to give.
    const late = new TidegateError('DEADLINE_EXCEEDED', 'm');
    expect([late.isRetryable, policy.delayMs(late, 1)]).toEqual([true, undefined]);
  });

  test.each([{ attemptsMax: 0 }, { attemptsMax: NaN }, { baseMs: -1 }, { capMs: Infinity }])(
    'is not made from %j',
    (options) => {
      expect(() => new RetryPolicy(options, () => 0)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      );
    },
  );
});
