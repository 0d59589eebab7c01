/**
 * Numbers there and back through JSON: 64-bit integers to the last digit, floats to the last bit and no longer than they
 * must be, and nothing in an answer that a strict reader of JSON would refuse.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Datatype, NumericArray } from '../../../runtime/tensor/dtype.ts';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { writeFlat } from '../../../gateway/wire/element-text.ts';
import { writeJsonElements } from '../../../gateway/wire/json-elements.ts';

/** The elements of `data` as the text of an answer. */
function written(datatype: Datatype, data: NumericArray): string {
  const writer = new ByteWriter(16);
  const column = { name: 'y', datatype, rowShape: [data.length], rowElements: data.length, data };
  writeFlat(writer, column, { start: 0, count: data.length });
  return Buffer.from(writer.bytes()).toString();
}

/** Reads the text of a request into `target`. */
function read<Target extends NumericArray>(datatype: Datatype, text: string, target: Target): Target {
  const bytes = Buffer.from(text);
  const source = { text: bytes, start: 0, end: bytes.length };
  const error = writeJsonElements(source, { name: 'x', datatype, shape: [target.length] }, target);
  if (error !== undefined) throw new Error(error.message);
  return target;
}

describe('64-bit integers', () => {
  it('keep every digit of INT64 in both directions', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (values) => {
        const text = `[${values.join()}]`;
        expect(written('INT64', read('INT64', text, new BigInt64Array(values.length)))).toBe(text);
      }),
    );
  });

  it('keep every digit of UINT64 in both directions', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), (values) => {
        const text = `[${values.join()}]`;
        expect(written('UINT64', read('UINT64', text, new BigUint64Array(values.length)))).toBe(text);
      }),
    );
  });
});

describe('floats', () => {
  const doubles = fc.array(fc.double());

  it('of 64 bits are written as JSON.stringify would, and so come back to the bit', () => {
    fc.assert(
      fc.property(doubles, (values) => {
        const text = written('FP64', Float64Array.from(values));
        const finite = values.map((value) => (Number.isFinite(value) ? value : String(value)));
        // JSON.stringify loses the sign of zero; the gateway does not.
        expect((JSON.parse(text) as unknown[]).map((value) => (value === 0 ? 0 : value))).toEqual(
          finite.map((value) => (value === 0 ? 0 : value)),
        );
        expect([...read('FP64', text, new Float64Array(values.length))]).toEqual(values);
      }),
    );
  });

  it('of 32 bits come back to the bit, in the fewest digits', () => {
    fc.assert(
      fc.property(fc.array(fc.float()), (values) => {
        const data = Float32Array.from(values);
        const text = written('FP32', data);
        expect([...read('FP32', text, new Float32Array(values.length))]).toEqual([...data]);
        for (const [index, shown] of (JSON.parse(text) as unknown[]).entries()) {
          const value = data[index]!;
          if (typeof shown !== 'number') continue;
          const digits = shown.toExponential().replace(/e.*|[-.]/g, '').length;
          if (digits > 1) expect(Math.fround(Number(value.toPrecision(digits - 1)))).not.toBe(value);
        }
      }),
    );
  });

  it('that JSON cannot say are strings, never bare words', () => {
    for (const [datatype, data] of [
      ['FP16', Uint16Array.of(0x7e00, 0x7c00, 0xfc00)],
      ['FP32', Float32Array.of(NaN, Infinity, -Infinity)],
      ['FP64', Float64Array.of(NaN, Infinity, -Infinity)],
    ] as const) {
      expect(written(datatype, data)).toBe('["NaN","Infinity","-Infinity"]');
    }
  });
});
