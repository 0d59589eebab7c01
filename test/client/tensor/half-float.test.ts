/** Every bit pattern of half precision, and rounding against the two neighbours of a value. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { halfToNumber, numberToHalf } from '../../../client/tensor/half-float.ts';

test('every number that half precision has comes back with the same bits', () => {
  const wrong = Array.from({ length: 0x1_0000 }, (_, bits) => bits).filter((bits) => {
    const value = halfToNumber(bits);
    return Number.isNaN(value) ? numberToHalf(value) !== 0x7e00 : numberToHalf(value) !== bits;
  });
  expect(wrong).toEqual([]);
});

test.each([
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_519.99, 0x7bff],
  [65_520, 0x7c00],
  [2 ** -24, 0x0001],
  [2 ** -25, 0x0000],
  [-0, 0x8000],
  [2 ** -25 * 1.0001, 0x0001],
  [2048 + 1, 0x6800],
  [2048 + 3, 0x6802],
  [Infinity, 0x7c00],
])('%d has the bits %d', (value, bits) => {
  expect(numberToHalf(value)).toBe(bits);
});

test('a value becomes the nearest of its neighbours, and the even one of two that are as near', () => {
  fc.assert(
    fc.property(fc.double({ min: -65_519, max: 65_519, noNaN: true }), (value) => {
      const bits = numberToHalf(value);
      const error = Math.abs(halfToNumber(bits) - value);
      for (const neighbour of [bits - 1, bits + 1]) {
        if ((neighbour & 0x7fff) > 0x7bff || (neighbour & 0x8000) !== (bits & 0x8000)) continue;
        const other = Math.abs(halfToNumber(neighbour) - value);
        expect(other > error || (other === error && (bits & 1) === 0)).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});
