/** What is a trial: the first request of a caller in a minute, whatever became of it and of the others. */
import { expect, test } from 'vitest';
import { CallerRates } from '../../../gateway/rollout/caller-rates.ts';
import { mixedHash } from './simulated-traffic.ts';

test('a caller is judged once a minute, by its first request', () => {
  const rates = new CallerRates();
  rates.add(mixedHash(1), 0, undefined);
  rates.add(mixedHash(1), 1, 'error');
  rates.add(mixedHash(2), 2, 'nan');
  expect(rates.counts).toEqual({ trials: 2, failed: { error: 0, nan: 1 } });
  rates.add(mixedHash(1), 60_000, 'error');
  rates.add(mixedHash(1), 119_999, 'error');
  expect(rates.counts).toEqual({ trials: 3, failed: { error: 1, nan: 1 } });
});

test('who is busy counts no more than who is not, and one who always fails is one caller', () => {
  const rates = new CallerRates();
  for (let request = 0; request < 6000; request += 1) rates.add(mixedHash(1), request * 100, 'error');
  for (let caller = 2; caller < 12; caller += 1) rates.add(mixedHash(caller), 600_000, undefined);
  expect(rates.counts).toEqual({ trials: 20, failed: { error: 10, nan: 0 } });
  expect(rates.failedCallers('error')).toBe(1);
});

test('each request of somebody who tries a version out is a trial', () => {
  const rates = new CallerRates('request');
  for (let request = 0; request < 5; request += 1) rates.add(mixedHash(1), 0, 'nan');
  expect(rates.counts).toEqual({ trials: 5, failed: { error: 0, nan: 5 } });
});
