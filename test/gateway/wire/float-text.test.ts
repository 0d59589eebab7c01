/** Shortest decimal text: it reads back bit for bit, and no text with fewer digits does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { writeFloat16, writeFloat32, writeFloat64 } from '../../../gateway/wire/float-text.ts';
import { halfToNumber, numberToHalf } from '../../../runtime/tensor/half-float.ts';

const writer = new ByteWriter(64);

function written(write: (writer: ByteWriter) => void): string {
  writer.reset();
  write(writer);
  return Buffer.from(writer.bytes()).toString();
}

const single = (value: number): string =>
  written((target) => {
    writeFloat32(target, value);
  });
const double = (value: number): string =>
  written((target) => {
    writeFloat64(target, value);
  });
const half = (bits: number): string =>
  written((target) => {
    writeFloat16(target, bits);
  });

const singleBits = new Uint32Array(1);
const singleValue = new Float32Array(singleBits.buffer);

function singleOfBits(bits: number): number {
  singleBits[0] = bits;
  return singleValue[0] ?? 0;
}

/** Significant digits of decimal text, without zeros at either end. */
function digitsOf(text: string): number {
  const digits = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  return Math.max(digits.length, 1);
}

/** The fewest digits that give `value` back through `round`, looking at both decimal neighbours of every length. */
function fewestDigits(value: number, round: (candidate: number) => number): number {
  for (let digits = 1; digits < 17; digits++) {
    const nearest = value.toExponential(digits - 1);
    const [mantissa = '', exponent = ''] = nearest.split('e');
    const scaled = BigInt(mantissa.replace('.', ''));
    for (const neighbour of [scaled - 1n, scaled, scaled + 1n]) {
      if (round(Number(`${neighbour}e${Number(exponent) - (digits - 1)}`)) === value) return digits;
    }
  }
  return 17;
}

function checkSingle(value: number): void {
  const text = single(value);
  if (!Number.isFinite(value)) {
    expect(text).toBe(JSON.stringify(String(value)));
    return;
  }
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== 'number' || !Object.is(Math.fround(parsed), value)) {
    expect.fail(`${value} was written ${text}`);
  }
  if (value !== 0) {
    const fewest = fewestDigits(Math.abs(value), Math.fround);
    if (digitsOf(text) !== fewest) expect.fail(`${value} was written ${text}, ${fewest} digits are enough`);
    // The same digits in the notation of JavaScript.
    if (text !== String(parsed)) expect.fail(`${value} was written ${text}, not ${parsed}`);
  }
}

describe('text of floats', () => {
  it.each([
    [0.1, '0.1'],
    [5.1, '5.1'],
    [1, '1'],
    [-0, '-0'],
    [0, '0'],
    [-1.5, '-1.5'],
    [1 / 3, '0.33333334'],
    [16777216, '16777216'],
    [1e10, '10000000000'],
    [1e21, '1e+21'],
    [0.00001, '0.00001'],
    [1e-7, '1e-7'],
    [1.5e-7, '1.5e-7'],
    [1.4012984643e-45, '1e-45'],
    [3.4028234664e38, '3.4028235e+38'],
    [NaN, '"NaN"'],
    [Infinity, '"Infinity"'],
    [-Infinity, '"-Infinity"'],
  ])('writes the float32 nearest to %d as %s', (value, text) => {
    expect(single(value)).toBe(text);
  });

  it('writes every float32 so that it reads back bit for bit, with the fewest digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (bits) => {
        checkSingle(singleOfBits(bits));
      }),
      { numRuns: 5_000 },
    );
  });

  it('does so for values of everyday size', () => {
    fc.assert(
      fc.property(fc.double({ min: -1000, max: 1000, noNaN: true }), (value) => {
        checkSingle(Math.fround(value));
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(
        fc.integer({ min: -1e7, max: 1e7 }),
        fc.integer({ min: 0, max: 12 }),
        (digits, decimals) => {
          checkSingle(Math.fround(digits / 10 ** decimals));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('does so for all powers of two and of ten, where neighbours are unevenly far, and next to them', () => {
    for (let exponent = 0; exponent < 255; exponent++) {
      const bits = exponent << 23;
      for (const near of [bits - 1, bits, bits + 1]) if (near >= 0) checkSingle(singleOfBits(near));
    }
    for (let exponent = -45; exponent <= 38; exponent++) {
      singleValue[0] = Number(`1e${exponent}`);
      const bits = singleBits[0] ?? 0;
      for (const near of [bits - 1, bits, bits + 1]) if (near >= 0) checkSingle(singleOfBits(near));
    }
  });

  it('writes doubles as JavaScript does', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        expect(double(value)).toBe(Object.is(value, -0) ? '-0' : String(value));
      }),
    );
    expect([NaN, Infinity, -Infinity].map(double)).toEqual(['"NaN"', '"Infinity"', '"-Infinity"']);
  });

  it('writes every float16 so that it reads back bit for bit, with the fewest digits', () => {
    const round = (candidate: number): number => halfToNumber(numberToHalf(candidate));
    for (let bits = 0; bits <= 0xffff; bits++) {
      const value = halfToNumber(bits);
      const text = half(bits);
      if (!Number.isFinite(value)) {
        if (text !== JSON.stringify(String(value))) expect.fail(`${bits} was written ${text}`);
        continue;
      }
      if (numberToHalf(Number(text)) !== bits) expect.fail(`${value} was written ${text}`);
      if (value !== 0 && digitsOf(text) !== fewestDigits(Math.abs(value), round)) {
        expect.fail(`${value} was written ${text}`);
      }
    }
    expect(half(0x3555)).toBe('0.3333');
    expect(half(0x7bff)).toBe('65500');
  });
});
