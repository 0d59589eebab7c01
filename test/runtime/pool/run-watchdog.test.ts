/** The watchdog alone, on a clock that only moves when it is told to. */
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunWatchdog } from '../../../runtime/pool/run-watchdog.ts';

let overdue: number[];
let watchdog: RunWatchdog;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
  overdue = [];
  watchdog = new RunWatchdog((limitMs) => overdue.push(limitMs));
});
afterEach(() => {
  watchdog.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a run that does not come back is noticed at its limit, once', () => {
  watchdog.begin(100);
  vi.advanceTimersByTime(99);
  expect(overdue).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(overdue).toEqual([100]);
  vi.advanceTimersByTime(10_000);
  expect(overdue).toEqual([100]);
});

test('one that came back is not, and the next one has its whole time', () => {
  watchdog.begin(100);
  vi.advanceTimersByTime(80);
  watchdog.end();
  watchdog.begin(100);
  vi.advanceTimersByTime(99);
  expect(overdue).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(overdue).toEqual([100]);
});

test('a shorter limit behind a longer one is kept', () => {
  watchdog.begin(1000);
  watchdog.end();
  watchdog.begin(10);
  vi.advanceTimersByTime(10);
  expect(overdue).toEqual([10]);
});

test('runs that come and go need one timer, however many they are', () => {
  const made = vi.spyOn(globalThis, 'setTimeout');
  for (let run = 0; run < 1000; run++) {
    watchdog.begin(5000);
    watchdog.end();
  }
  expect(made).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(overdue).toEqual([]);
  // The timer is spent; the next run has one again.
  watchdog.begin(50);
  vi.advanceTimersByTime(50);
  expect(overdue).toEqual([50]);
});

test('once closed it says nothing more', () => {
  watchdog.begin(100);
  watchdog.close();
  vi.advanceTimersByTime(1000);
  expect(overdue).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
