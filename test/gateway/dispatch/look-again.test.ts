/** When batches that wait for more are looked at again, on a clock that only moves when it is told to. */
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LookAgain } from '../../../gateway/dispatch/look-again.ts';

let looksAtMs: number[];
let again: LookAgain;
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'Date'],
  });
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
  looksAtMs = [];
  again = new LookAgain(() => looksAtMs.push(performance.now()));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('it looks once, not before the time, and then no more', () => {
  const startMs = performance.now();
  again.arm(startMs + 50);
  vi.advanceTimersByTime(1000);
  expect(looksAtMs).toHaveLength(1);
  expect(looksAtMs[0]! - startMs).toBeGreaterThanOrEqual(50);
  expect(looksAtMs[0]! - startMs).toBeLessThan(52);
});

test('an earlier time counts, a later one does not, and Infinity asks for nothing', () => {
  const startMs = performance.now();
  again.arm(Infinity);
  expect(vi.getTimerCount()).toBe(0);
  again.arm(startMs + 50);
  again.arm(startMs + 500);
  again.arm(startMs + 20);
  vi.advanceTimersByTime(1000);
  expect(looksAtMs.map((ms) => Math.floor(ms - startMs))).toEqual([20]);
});

test('what is nearer than a timer can tell is waited for turn by turn', () => {
  const timers = vi.spyOn(globalThis, 'setTimeout');
  again.arm(performance.now() + 1.5);
  expect(timers).not.toHaveBeenCalled();
  vi.advanceTimersToNextTimer();
  expect(looksAtMs).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(looksAtMs).toHaveLength(1);
});

test('it can be armed again from within the look', () => {
  const startMs = performance.now();
  const twice = new LookAgain(() => {
    looksAtMs.push(performance.now());
    if (looksAtMs.length < 3) twice.arm(performance.now() + 10);
  });
  twice.arm(startMs + 10);
  vi.advanceTimersByTime(1000);
  expect(looksAtMs).toHaveLength(3);
});
