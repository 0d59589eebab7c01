/** The pieces that everything else relies on: numbers that are exact as JSON and as bytes. */
import { describe, expect, test } from 'vitest';
import { datatypes, datatypeTable } from '../conformance/datatype.ts';
import { readJson, writeJson } from '../conformance/exact-json.ts';
import { halfBits, halfValue } from '../conformance/half-float.ts';
import { firstDifference, packTensor, unpackElements } from '../conformance/tensor.ts';

describe('JSON', () => {
  test('keeps whole numbers beyond 2^53, and only those are bigint', () => {
    expect(readJson('[9007199254740993, -9223372036854775808, 9007199254740991, 1.5, 1e300, -0]')).toEqual([
      ...[9007199254740993n, -(2n ** 63n), 9007199254740991, 1.5, 1e300, -0],
    ]);
  });

  test('leaves digits in texts and names alone', () => {
    const text = String.raw`{"99999999999999999999": "12345678901234567890 \" 98765432109876543210", "b": "\\"}`;
    expect(readJson(text)).toEqual(JSON.parse(text));
    expect(readJson(`[${text}, 18446744073709551615]`)).toEqual([JSON.parse(text), 2n ** 64n - 1n]);
  });

  test('refuses what is not JSON', () => {
    for (const text of ['', '{"a": 99999999999999999999', '[NaN]', '[01]', '[99999999999999999999n]']) {
      expect(() => readJson(text)).toThrow(SyntaxError);
    }
  });

  test('is written as it is read', () => {
    const value = { a: [2n ** 64n - 1n, 0.1, 'x"y', true, null], b: { c: -5 } };
    expect(readJson(writeJson(value))).toEqual(value);
    expect(writeJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });
});

test('half precision: every bit pattern but those of NaN comes back', () => {
  const wrong = Array.from({ length: 2 ** 16 }, (_, bits) => bits).filter((bits) => {
    const value = halfValue(bits);
    return !Number.isNaN(value) && halfBits(value) !== bits;
  });
  expect(wrong).toEqual([]);
  expect([halfValue(0x3c00), halfValue(0x7bff), halfValue(1), halfBits(NaN)]).toEqual([
    1,
    65_504,
    2 ** -24,
    0x7e00,
  ]);
});

test.each(datatypes)('%s: what is sent is what is read', (datatype) => {
  const { ordinary, edges, binaryEdges } = datatypeTable[datatype];
  const elements = [...ordinary, ...edges, ...binaryEdges];
  const tensor = { name: 'x', datatype, shape: [elements.length], elements };
  const unpacked = unpackElements(tensor, packTensor(tensor));
  expect(unpacked.ok && firstDifference(tensor, unpacked.elements)).toBe(undefined);
  const longer = unpackElements(tensor, Buffer.concat([packTensor(tensor), Buffer.alloc(4)]));
  expect(longer.ok).toBe(false);
});
