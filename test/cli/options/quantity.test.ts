/** Quantities and moments as people write and read them. */
import { describe, expect, test } from 'vitest';
import {
  countOption,
  durationOption,
  percentOption,
  shareOption,
  sharesOption,
  sizeOption,
  sizeText,
} from '../../../cli/options/quantity.ts';
import { distanceText, momentText } from '../../../cli/text/moment.ts';
import {
  parseCoresMillis,
  parseShareBps,
  parseSizeBytes,
} from '../../../registry-store/platform/quantity.ts';

describe('sizes in bytes', () => {
  test.each([
    ['1', 1],
    ['4096', 4096],
    ['1k', 1000],
    ['1Ki', 1024],
    ['1.5MB', 1_500_000],
    ['512Mi', 512 * 1024 * 1024],
    ['2GiB', 2 * 1024 ** 3],
    ['2 gb', 2_000_000_000],
    ['0', undefined],
    ['-1', undefined],
    ['Mi', undefined],
    ['1.Mi', undefined],
    ['1e6', undefined],
    ['12 parsecs', undefined],
    ['9999999999Ti', undefined],
    ['', undefined],
  ])('%s', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes);
  });
});

describe('cores in thousandths', () => {
  test.each([
    ['2', 2000],
    ['0.5', 500],
    ['0.001', 1],
    ['1500m', 1500],
    ['0', undefined],
    ['0m', undefined],
    ['1.2345', undefined],
    ['1.5m', undefined],
    ['all', undefined],
  ])('%s', (text, millis) => {
    expect(parseCoresMillis(text)).toBe(millis);
  });
});

describe('shares in hundredths of a percent', () => {
  test.each([
    ['5', 500],
    ['5%', 500],
    ['0.25', 25],
    ['0', 0],
    ['100', 10_000],
    ['100.01', undefined],
    ['0.001', undefined],
    ['-5', undefined],
    ['half', undefined],
  ])('%s', (text, bps) => {
    expect(parseShareBps(text)).toBe(bps);
  });
});

test('options say how to write them', () => {
  expect(() => sizeOption('lots')).toThrow(/512Mi/);
  expect(() => shareOption('200')).toThrow(/0 to 100/);
  expect(() => countOption('0')).toThrow(/whole number from 1/);
  expect(() => countOption('1.5')).toThrow(/whole number from 1/);
  expect(() => percentOption('0.7')).toThrow(/1 to 100/);
  expect([countOption('3'), percentOption('70%'), shareOption('12.5%')]).toEqual([3, 70, 12.5]);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [30_000_000, '28.6 MiB'],
  [300 * 1024 * 1024, '300 MiB'],
  [5 * 1024 ** 4, '5.0 TiB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

describe('moments', () => {
  const nowMs = Date.parse('2026-11-23T12:00:00Z');

  test('are told to the minute, in UTC', () => {
    expect(momentText('2026-11-23T20:39:27.123Z')).toBe('2026-11-23 20:39');
  });

  test.each([
    ['2027-11-23T12:00:00Z', 'in 12 months'],
    ['2031-11-22T11:59:00Z', 'in 5 years'],
    ['2026-11-30T12:00:00Z', 'in 7 days'],
    ['2026-11-24T12:00:00Z', 'in 24 hours'],
    ['2026-11-23T12:01:30Z', 'in 1 minute'],
    ['2026-11-20T12:00:00Z', '3 days ago'],
  ])('%s is %s', (iso, text) => {
    expect(distanceText(iso, nowMs)).toBe(text);
  });
});

test('shares with commas between, in hundredths of a percent', () => {
  expect(sharesOption('1,5, 25%,0.25')).toEqual([100, 500, 2500, 25]);
  for (const text of ['', '1,', '1;2', '1,101', 'all']) expect(() => sharesOption(text)).toThrow(/commas/);
});

describe('times in milliseconds', () => {
  test.each([
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('%s', (text, ms) => {
    expect(durationOption(text)).toBe(ms);
  });

  test.each(['', '10', 'm', '1.5h', '-1s', '10ms', '1 h', '9999999s'])('not %j', (text) => {
    expect(() => durationOption(text)).toThrow(/time like/);
  });
});
