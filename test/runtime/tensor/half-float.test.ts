/** Laws of float16 conversion, over all 65,536 bit patterns and around every halfway point. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from '../../../runtime/tensor/half-float.ts';

const infinityBits = 0x7c00;

function isNan(bits: number): boolean {
  return (bits & 0x7fff) > infinityBits;
}

describe('half floats', () => {
  it.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
  ])('bits %i are %f', (bits, value) => {
    expect(halfToNumber(bits)).toBe(value);
    expect(numberToHalf(value)).toBe(bits);
  });

  it('gives every bit pattern back, except that all NaN become one', () => {
    for (let bits = 0; bits <= 0xffff; bits++) {
      const value = halfToNumber(bits);
      if (isNan(bits)) {
        expect(value).toBeNaN();
        expect(numberToHalf(value)).toBe(0x7e00);
      } else if (numberToHalf(value) !== bits) {
        expect.fail(`${bits} became ${numberToHalf(value)}`);
      }
    }
  });

  it('rounds halfway between two neighbours to the even one, and anything nearer to the nearer one', () => {
    for (let bits = 0; bits < infinityBits; bits++) {
      const low = halfToNumber(bits);
      // Behind the largest half comes what would be the next if the exponent went on.
      const high = bits + 1 === infinityBits ? 65536 : halfToNumber(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const step = (high - low) / 2 ** 20;
      const rounded = [middle - step, middle, middle + step, -middle].map(numberToHalf);
      if (rounded.join() !== [bits, even, bits + 1, even | 0x8000].join()) {
        expect.fail(`around ${middle}: ${rounded.join()}`);
      }
    }
  });

  it('never moves further from a number than its neighbours are', () => {
    fc.assert(
      fc.property(fc.double({ min: -65519, max: 65519, noNaN: true }), (value) => {
        const bits = numberToHalf(value);
        const distance = Math.abs(halfToNumber(bits) - value);
        for (const neighbour of [bits - 1, bits + 1]) {
          const other = Math.abs(halfToNumber(neighbour & 0xffff) - value);
          if (Number.isFinite(other)) expect(distance).toBeLessThanOrEqual(other);
        }
      }),
    );
  });
});
