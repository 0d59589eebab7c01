/** Decimal text to exact integers, against BigInt. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactInteger } from '../../../gateway/wire/exact-integer.ts';

describe('exact integers', () => {
  it('finds the integer however it is written', () => {
    const values = fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n });
    fc.assert(
      fc.property(values, fc.integer({ min: 0, max: 18 }), fc.nat(5), (value, shift, zeros) => {
        const sign = value < 0n ? '-' : '';
        const digits = String(value)
          .replace('-', '')
          .padStart(shift + 1, '0');
        const cut = digits.length - shift;
        const whole = digits.slice(0, cut);
        const fraction = digits.slice(cut) + '0'.repeat(zeros);
        const text = `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}e${shift}`;
        expect(exactInteger(text)).toBe(value);
      }),
    );
  });

  it.each([
    '0.5',
    '1e-1',
    '10.05e1',
    '100000000000000000000000',
    '1e21',
    '1e999999999999',
    '1e-999999999999',
  ])('knows no integer of at most 20 digits in %s', (text) => {
    expect(exactInteger(text)).toBeUndefined();
  });

  it.each([
    ['0', 0n],
    ['-0.000e-5', 0n],
    ['0e999999999999', 0n],
    ['1.0', 1n],
    ['-15e1', -150n],
    ['1500e-2', 15n],
    [`1.${'0'.repeat(100_000)}`, 1n],
    [`1${'0'.repeat(1000)}e-1000`, 1n],
  ])('reads %s', (text, value) => {
    expect(exactInteger(text)).toBe(value);
  });
});
