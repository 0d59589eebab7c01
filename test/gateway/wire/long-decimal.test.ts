/** Decimals of many digits against the engine's conversion: the same double, or none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { divideLongDecimal } from '../../../gateway/wire/long-decimal.ts';

function divide(digits: string, decimals: number): number {
  const padded = digits.padStart(decimals + 1, '0');
  const cut = padded.length - decimals;
  const text = decimals === 0 ? padded : `${padded.slice(0, cut)}.${padded.slice(cut)}`;
  const bytes = Buffer.from(`7${text}7`);
  return divideLongDecimal(bytes, { start: 1, end: bytes.length - 1 }, Number(`1e${decimals}`));
}

describe('long decimals', () => {
  it('are the double that the engine finds, if any', () => {
    const digits = fc
      .tuple(fc.bigInt({ min: 10n ** 17n, max: 10n ** 18n - 1n }), fc.integer({ min: 9, max: 18 }))
      .map(([value, count]) => String(value).slice(0, count));
    fc.assert(
      fc.property(digits, fc.integer({ min: 0, max: 22 }), (text, decimals) => {
        const value = divide(text, decimals);
        if (!Number.isNaN(value)) expect(value).toBe(Number(`${text}e-${decimals}`));
      }),
      { numRuns: 20_000 },
    );
  });

  it('are found for whatever double is printed in full', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1, noNaN: true }), (value) => {
        const digits = value.toFixed(17).slice(2);
        const found = divide(digits, 17);
        if (digits.startsWith('0') || Number.isNaN(found)) return;
        expect(found).toBe(Number(`0.${digits}`));
      }),
      { numRuns: 20_000 },
    );
    const text = '12345678901234567';
    expect(divide(text, 17)).toBe(0.12345678901234567);
  });

  it('are left alone exactly between two doubles, and right beside the middle they are decided', () => {
    // 2^53 + 1 is the middle of 2^53 and 2^53 + 2.
    expect(divide('9007199254740993', 0)).toBeNaN();
    expect(divide('90071992547409929', 1)).toBe(9007199254740992);
    expect(divide('90071992547409931', 1)).toBe(9007199254740994);
    expect(divide('9007199254740995', 0)).toBeNaN();
  });

  it.each(['12345678', '00012345678', '1234567890123456789', '0'])(
    'of too few or too many digits are left alone: %s',
    (text) => {
      expect(divide(text, 3)).toBeNaN();
    },
  );
});
