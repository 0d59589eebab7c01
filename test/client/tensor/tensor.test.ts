/** Tensors from what a caller has: kept, converted or refused with a reason. */
import { describe, expect, test } from 'vitest';
import { bytesOf, numbersOf, tensor, textsOf, TidegateError } from '../../../client/main.ts';
import { packedBytes, tensorOfPacked } from '../../../client/tensor/packed-data.ts';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof TidegateError) return thrown.code;
    throw thrown;
  }
  return 'nothing was thrown';
}

describe('tensor', () => {
  test('keeps a typed array of the datatype as it is', () => {
    const data = Float32Array.of(1, 2);
    expect(tensor('FP32', [2], data).data).toBe(data);
  });

  test('takes pixels without a copy', () => {
    const pixels = Uint8ClampedArray.of(1, 2, 300);
    const made = tensor('UINT8', [3], pixels);
    expect(made.data).toEqual(Uint8Array.of(1, 2, 255));
    expect(made.data.buffer).toBe(pixels.buffer);
  });

  test('takes whole numbers of 64 bits as bigint and as number', () => {
    expect(tensor('INT64', [2], [2n ** 63n - 1n, -5]).data).toEqual(BigInt64Array.of(2n ** 63n - 1n, -5n));
    expect(tensor('UINT64', [1], [2n ** 64n - 1n]).data).toEqual(BigUint64Array.of(2n ** 64n - 1n));
  });

  test('takes BOOL as booleans, FP16 as numbers or as bits', () => {
    expect(tensor('BOOL', [2], [true, false]).data).toEqual(Uint8Array.of(1, 0));
    expect(tensor('FP16', [2], [1, -2]).data).toEqual(Uint16Array.of(0x3c00, 0xc000));
    expect(tensor('FP16', [1], Float32Array.of(0.5)).data).toEqual(Uint16Array.of(0x3800));
    expect(tensor('FP16', [1], Uint16Array.of(7)).data).toEqual(Uint16Array.of(7));
  });

  test('a scalar has one element, an empty batch none', () => {
    expect(tensor('FP64', [], [3]).data).toEqual(Float64Array.of(3));
    expect(tensor('FP64', [0, 4], []).data).toHaveLength(0);
  });

  test.each([
    ['too few elements', () => tensor('FP32', [2, 2], [1, 2, 3])],
    ['a negative dimension', () => tensor('FP32', [-1], [])],
    ['a broken dimension', () => tensor('FP32', [1.5], [1])],
    ['a value beyond the type', () => tensor('INT8', [1], [128])],
    ['a fraction in a whole type', () => tensor('INT32', [1], [1.5])],
    ['a number beyond 2^53', () => tensor('INT64', [1], [2 ** 60])],
    ['a float that would become infinite', () => tensor('FP32', [1], [1e39])],
    ['a half that would become infinite', () => tensor('FP16', [1], [70_000])],
    ['a BOOL that is 2', () => tensor('BOOL', [1], JSON.parse('[2]') as 1[])],
    ['a text where numbers belong', () => tensor('FP32', [1], ['1'] as unknown as number[])],
    ['a number where text belongs', () => tensor('BYTES', [1], [1] as unknown as string[])],
    ['an unknown datatype', () => tensor('FP8' as 'FP16', [1], [1])],
  ])('refuses %s', (_, action) => {
    expect(codeOf(action)).toBe('INVALID_ARGUMENT');
  });

  test('infinities and NaN are values like others', () => {
    expect(numbersOf(tensor('FP16', [3], [Infinity, -Infinity, NaN]))).toEqual([Infinity, -Infinity, NaN]);
  });
});

describe('elements as plain values', () => {
  test('numbers of any numeric datatype', () => {
    expect(numbersOf(tensor('INT64', [1], [-7n]))).toEqual([-7]);
    expect(numbersOf(tensor('BOOL', [1], [true]))).toEqual([1]);
    expect(numbersOf(tensor('FP16', [1], [0.25]))).toEqual([0.25]);
    expect(codeOf(() => numbersOf(tensor('INT64', [1], [2n ** 60n])))).toBe('INVALID_ARGUMENT');
    expect(codeOf(() => numbersOf(tensor('BYTES', [1], ['1'])))).toBe('INVALID_ARGUMENT');
  });

  test('texts and bytes of BYTES', () => {
    const made = tensor('BYTES', [2], ['é', Uint8Array.of(0xff)]);
    expect(bytesOf(made)).toEqual([Uint8Array.of(0xc3, 0xa9), Uint8Array.of(0xff)]);
    expect(codeOf(() => textsOf(made))).toBe('INVALID_RESPONSE');
    expect(textsOf(tensor('BYTES', [1], ['a']))).toEqual(['a']);
  });
});

describe('packed elements', () => {
  test('BYTES have a length in front; what is no UTF-8 stays bytes; nothing is lost', () => {
    const made = tensor('BYTES', [4], ['', 'naïve 🚲', '\uFEFFmark', Uint8Array.of(0xc3, 0x28)]);
    const bytes = packedBytes(made);
    expect([...bytes.subarray(0, 8)]).toEqual([0, 0, 0, 0, 11, 0, 0, 0]);
    expect(tensorOfPacked('BYTES', [4], bytes)).toEqual(made);
  });

  test('an aligned tensor is a view, another one is copied', () => {
    const buffer = new ArrayBuffer(24);
    const aligned = tensorOfPacked('INT64', [1], new Uint8Array(buffer, 8, 8));
    const shifted = tensorOfPacked('INT64', [1], new Uint8Array(buffer, 4, 8));
    expect(aligned.data.buffer).toBe(buffer);
    expect(shifted.data.buffer).not.toBe(buffer);
    // A Buffer of Node, whose own `slice` copies nothing.
    const node = tensorOfPacked('INT64', [1], Buffer.from(buffer, 4, 8));
    expect(node.data.buffer).not.toBe(buffer);
  });

  test.each([
    ['too few bytes', 'FP32', [2], 7],
    ['too many bytes', 'INT8', [1], 2],
    ['a BYTES element that never ends', 'BYTES', [1], 3],
    ['more BYTES elements than the shape says', 'BYTES', [0], 4],
    ['fewer BYTES elements than the shape says', 'BYTES', [2], 4],
  ] as const)('refuses %s', (_, datatype, shape, bytes) => {
    expect(codeOf(() => tensorOfPacked(datatype, shape, new Uint8Array(bytes)))).toBe('INVALID_RESPONSE');
  });
});
