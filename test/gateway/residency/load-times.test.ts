/** What loads took is what they will take, until they take something else. */
import { expect, it } from 'vitest';
import { LoadTimes } from '../../../gateway/residency/load-times.ts';

it('expects of a file what its loads took, the newest most, and of others what all took', () => {
  const times = new LoadTimes();
  expect(times.expectedMs('a')).toBe(1000);
  times.record('a', 100);
  expect([times.expectedMs('a'), times.expectedMs('b')]).toEqual([100, 100]);
  times.record('a', 200);
  expect(times.expectedMs('a')).toBeCloseTo(130);
  times.record('b', 1000);
  expect(times.expectedMs('a')).toBeCloseTo(130);
  expect(times.expectedMs('b')).toBe(1000);
  expect(times.expectedMs('c')).toBeCloseTo(130 + 0.3 * 870);
});
