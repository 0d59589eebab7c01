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

/** So much time goes by, with a turn of the event loop at its end. */
async function passes(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

test('a run that does not come back is noticed at its limit, once', async () => {
  watchdog.begin(100);
  await passes(99);
  expect(overdue).toEqual([]);
  await passes(1);
  expect(overdue).toEqual([100]);
  await passes(10_000);
  expect(overdue).toEqual([100]);
});

test('one that came back is not, and the next one has its whole time', async () => {
  watchdog.begin(100);
  await passes(80);
  watchdog.end();
  watchdog.begin(100);
  await passes(99);
  expect(overdue).toEqual([]);
  await passes(1);
  expect(overdue).toEqual([100]);
});

test('a shorter limit behind a longer one is kept', async () => {
  watchdog.begin(1000);
  watchdog.end();
  watchdog.begin(10);
  await passes(10);
  expect(overdue).toEqual([10]);
});

test('runs that come and go need one timer, however many they are', async () => {
  const made = vi.spyOn(globalThis, 'setTimeout');
  for (let run = 0; run < 1000; run++) {
    watchdog.begin(5000);
    watchdog.end();
  }
  expect(made).toHaveBeenCalledTimes(1);
  await passes(60_000);
  expect(overdue).toEqual([]);
  // The timer is spent; the next run has one again.
  watchdog.begin(50);
  await passes(50);
  expect(overdue).toEqual([50]);
});

test('what came back while the event loop stood still is not overdue', async () => {
  watchdog.begin(100);
  // The timers come first, and what came from threads after them in the same turn.
  vi.advanceTimersByTime(5000);
  watchdog.end();
  await passes(0);
  expect(overdue).toEqual([]);
});

test('once closed it says nothing more', async () => {
  watchdog.begin(100);
  watchdog.close();
  await passes(1000);
  expect(overdue).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
