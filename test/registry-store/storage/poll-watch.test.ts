/** When a source without notices is looked at again: as arithmetic, and as a timer. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { PollWatch, nextPollMs, pollMsMax } from '../../../registry-store/storage/poll-watch.ts';

const usual = { pollMs: 10_000, failures: 0, random: 0.5 };

describe('the time until the next look', () => {
  test('differs by up to a fifth to either side', () => {
    expect(nextPollMs({ ...usual, random: 0 })).toBe(8_000);
    expect(nextPollMs(usual)).toBe(10_000);
    expect(nextPollMs({ ...usual, random: 1 })).toBe(12_000);
  });

  test('grows with failures in a row, up to its bound', () => {
    const times = [1, 2, 3, 4, 20].map((failures) => nextPollMs({ ...usual, failures }));
    expect(times).toEqual([10_000, 20_000, 40_000, 80_000, pollMsMax]);
  });

  test('is never shorter than usual because of the bound', () => {
    expect(nextPollMs({ pollMs: 3_600_000, failures: 5, random: 0.5 })).toBe(3_600_000);
  });

  test('is at least what the server asked for, and not the same on every node', () => {
    expect(nextPollMs({ ...usual, failures: 1, retryAfterMs: 120_000, random: 0 })).toBe(120_000);
    expect(nextPollMs({ ...usual, failures: 1, retryAfterMs: 120_000, random: 1 })).toBe(144_000);
    expect(nextPollMs({ ...usual, failures: 1, retryAfterMs: 1 })).toBe(10_000);
  });
});

describe('the watch', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('looks, backs off while looks fail, and comes back when one succeeds', async () => {
    vi.useFakeTimers();
    const outcomes = [false, false, false, true, true];
    const looks: number[] = [];
    const watch = new PollWatch({
      pollMs: 1000,
      random: () => 0.5,
      look: () => {
        looks.push(Date.now());
        return Promise.resolve({ ok: outcomes[looks.length - 1] ?? true });
      },
    });
    const startMs = Date.now();
    watch.start(true);
    await vi.advanceTimersByTimeAsync(30_000);
    watch.close();
    const count = looks.length;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(looks.slice(0, 6).map((atMs) => atMs - startMs)).toEqual([1000, 2000, 4000, 8000, 9000, 10_000]);
    expect(looks).toHaveLength(count);
  });
});
