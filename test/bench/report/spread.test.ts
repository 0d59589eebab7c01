/** The middle, the range, and how they are written. */
import { describe, expect, it } from 'vitest';
import { formatNumber, formatSpread, spreadOf } from '../../../bench/report/spread.ts';

describe('a spread', () => {
  it.each([
    [[5], { median: 5, min: 5, max: 5 }],
    [[3, 1, 2], { median: 2, min: 1, max: 3 }],
    [[10, 1, 3, 2], { median: 2.5, min: 1, max: 10 }],
  ])('of %j is %j', (values, expected) => {
    expect(spreadOf(values)).toEqual(expected);
  });

  it('of nothing does not exist', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });

  it('is written with its range, unless that is one number', () => {
    expect(formatSpread(spreadOf([30_100, 31_250, 29_400]), formatNumber)).toBe('30,100 (29,400-31,250)');
    expect(formatSpread(spreadOf([0.5511, 0.5512]), formatNumber)).toBe('0.55');
  });
});

describe('a number', () => {
  it.each([
    [31_250.4, '31,250'],
    [99.94, '99.9'],
    [7.126, '7.13'],
    [0, '0.00'],
  ])('%d is written %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});
