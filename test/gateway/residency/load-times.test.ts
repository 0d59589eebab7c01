/** What loads took is what they will take, until they take something else; and what is under way takes what is left of it. */
import { expect, it } from 'vitest';
import { LoadTimes } from '../../../gateway/residency/load-times.ts';

function record(times: LoadTimes, sha256: string, ms: number): void {
  times.begin(sha256, 1000);
  times.end(true, 1000 + ms);
}

it('expects of a file what its loads took, the newest most, and of others what all took', () => {
  const times = new LoadTimes();
  expect(times.expectedMs('a')).toBe(1000);
  record(times, 'a', 100);
  expect([times.expectedMs('a'), times.expectedMs('b')]).toEqual([100, 100]);
  record(times, 'a', 200);
  expect(times.expectedMs('a')).toBeCloseTo(130);
  record(times, 'b', 1000);
  expect(times.expectedMs('a')).toBeCloseTo(130);
  expect(times.expectedMs('b')).toBe(1000);
  expect(times.expectedMs('c')).toBeCloseTo(130 + 0.3 * 870);
});

it('knows what is left of the load under way, and learns nothing from one that failed', () => {
  const times = new LoadTimes();
  expect(times.remainingMs(0)).toBe(0);
  record(times, 'a', 100);
  times.begin('a', 5000);
  expect([5000, 5060, 5300].map((nowMs) => times.remainingMs(nowMs))).toEqual([100, 40, 0]);
  times.end(false, 9000);
  expect([times.remainingMs(9000), times.expectedMs('a')]).toEqual([0, 100]);
});
