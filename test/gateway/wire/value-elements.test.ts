/** Elements that came as msgpack values: ranges, nesting, exactness. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Datatype, NumericArray } from '../../../runtime/tensor/dtype.ts';
import { halfToNumber } from '../../../runtime/tensor/half-float.ts';
import { writeJsonElements } from '../../../gateway/wire/json-elements.ts';
import { readValueStrings, writeValueElements } from '../../../gateway/wire/value-elements.ts';
import { anyTensor, emptyTarget, nested } from './arbitrary-tensor.ts';

/** The values a client would put into an array for these elements; FP16 as the numbers that the patterns stand for. */
function valuesOf(datatype: Datatype, elements: NumericArray): (number | bigint)[] {
  const values: (number | bigint)[] = [...elements];
  return datatype === 'FP16' ? values.map((bits) => halfToNumber(Number(bits))) : values;
}

function tensorOf(datatype: Datatype, shape: readonly number[]) {
  return { name: 'x', datatype, shape };
}

describe('writeValueElements', () => {
  it('gives back any elements of any datatype, sent flat and sent nested', () => {
    fc.assert(
      fc.property(anyTensor, fc.boolean(), (tensor, flat) => {
        fc.pre(tensor.datatype !== 'BYTES');
        const elements = emptyTarget(tensor.datatype, tensor.shape);
        new Uint8Array(elements.buffer).set(tensor.packed);
        const values = valuesOf(tensor.datatype, elements);
        const target = emptyTarget(tensor.datatype, tensor.shape);
        const sent = flat ? values : nested(values, tensor.shape);
        expect(writeValueElements(sent, tensor, target)).toBeUndefined();
        // NaN has many bit patterns and keeps none of them as a value, so values are compared, not bytes.
        expect(valuesOf(tensor.datatype, target)).toEqual(values);
      }),
    );
  });

  it.each([
    ['INT8', -128, 127],
    ['UINT8', 0, 255],
    ['INT16', -32768, 32767],
    ['UINT16', 0, 65535],
    ['INT32', -2147483648, 2147483647],
    ['UINT32', 0, 4294967295],
    ['INT64', -(2n ** 63n), 2n ** 63n - 1n],
    ['UINT64', 0n, 2n ** 64n - 1n],
  ] as const)('takes %s from %s to %s, as number or bigint, and nothing beyond', (datatype, min, max) => {
    const write = (value: unknown) => {
      const target = emptyTarget(datatype, [1]);
      return { error: writeValueElements([value], tensorOf(datatype, [1]), target)?.code, got: target[0] };
    };
    expect(write(min)).toEqual({ error: undefined, got: min });
    expect(write(BigInt(max)).error).toBeUndefined();
    expect(BigInt(write(max).got ?? 0)).toBe(BigInt(max));
    expect(write(BigInt(min) - 1n).error).toBe('INVALID_ELEMENT');
    expect(write(BigInt(max) + 1n).error).toBe('INVALID_ELEMENT');
    expect(write(Number(max) + 1).error).toBe('INVALID_ELEMENT');
    for (const wrong of [0.5, NaN, Infinity, true, '1', null, undefined, [[1]], {}]) {
      expect(write(wrong).error).toMatch(/^(INVALID_ELEMENT|SHAPE_MISMATCH)$/);
    }
  });

  it('keeps 64-bit integers exact beyond 2^53', () => {
    const target = new BigInt64Array(2);
    const values = [9007199254740993n, -9007199254740995n];
    expect(writeValueElements(values, tensorOf('INT64', [2]), target)).toBeUndefined();
    expect([...target]).toEqual(values);
  });

  it.each([
    ['FP16', 65519, 65520],
    ['FP32', 3.4028235677973362e38, 3.4028235677973366e38],
  ] as const)('rounds %s up to %d and refuses what would round to infinity', (datatype, last, first) => {
    const write = (value: number) => {
      const target = emptyTarget(datatype, [1]);
      return writeValueElements([value], tensorOf(datatype, [1]), target)?.code;
    };
    expect([write(last), write(-last)]).toEqual([undefined, undefined]);
    expect([write(first), write(-first)]).toEqual(['INVALID_ELEMENT', 'INVALID_ELEMENT']);
  });

  it.each(['FP16', 'FP32', 'FP64'] as const)('lets NaN and the infinities be %s values', (datatype) => {
    const target = emptyTarget(datatype, [3]);
    expect(writeValueElements([NaN, Infinity, -Infinity], tensorOf(datatype, [3]), target)).toBeUndefined();
    expect(valuesOf(datatype, target)).toEqual([NaN, Infinity, -Infinity]);
  });

  it('takes true, false, 0 and 1 as BOOL and nothing else', () => {
    const target = new Uint8Array(4);
    expect(writeValueElements([true, false, 1, 0], tensorOf('BOOL', [4]), target)).toBeUndefined();
    expect([...target]).toEqual([1, 0, 1, 0]);
    for (const wrong of [2, -1, 0.5, 'true', null, 1n]) {
      const error = writeValueElements([wrong], tensorOf('BOOL', [1]), new Uint8Array(1));
      expect(error?.code).toBe('INVALID_ELEMENT');
    }
  });

  const count = 'ELEMENT_COUNT_MISMATCH';
  const shape = 'SHAPE_MISMATCH';
  it.each<[string, readonly number[], readonly unknown[], string]>([
    ['too few flat elements', [2, 2], [1, 2, 3], count],
    ['too many flat elements', [2, 2], [1, 2, 3, 4, 5], count],
    ['a scalar with two elements', [], [1, 2], count],
    ['nothing for a scalar', [], [], count],
    ['something for an empty shape', [0], [1], count],
    ['too few rows', [2, 2], [[1, 2]], shape],
    ['a short row', [2, 2], [[1, 2], [3]], shape],
    [
      'a long row',
      [2, 2],
      [
        [1, 2],
        [3, 4, 5],
      ],
      shape,
    ],
    ['a row that is a number', [2, 2], [[1, 2], 3], shape],
    [
      'the transposed shape',
      [2, 3],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      shape,
    ],
    ['one level too many', [2], [[1, 2]], shape],
    [
      'flat rows that are too short',
      [2, 2, 2],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      shape,
    ],
    [
      'one level too few in the middle',
      [2, 2, 2, 1],
      [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ],
      shape,
    ],
    ['a scalar that is nested', [], [[1]], shape],
    ['rows for an empty shape', [0, 2], [[]], shape],
  ])('refuses %s', (_, dimensions, values, code) => {
    const target = emptyTarget('FP32', dimensions);
    expect(writeValueElements(values, tensorOf('FP32', dimensions), target)?.code).toBe(code);
  });

  it('says of wrong nesting what is said of the same JSON text, in the same words', () => {
    const element = fc.constantFrom<unknown>(1, 2, 'x');
    const { data } = fc.letrec<{ data: unknown }>((tie) => ({
      data: fc.oneof({ maxDepth: 4 }, element, fc.array(tie('data'), { maxLength: 3 })),
    }));
    const dimensions = fc.array(fc.nat(3), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(data, { maxLength: 3 }), dimensions, (values, dims) => {
        const tensor = tensorOf('FP32', dims);
        const text = Buffer.from(JSON.stringify(values));
        const span = { text, start: 0, end: text.length };
        const ofText = writeJsonElements(span, tensor, emptyTarget('FP32', dims));
        const ofValues = writeValueElements(values, tensor, emptyTarget('FP32', dims));
        expect(ofValues?.code).toBe(ofText?.code);
        if (ofText !== undefined && ofText.code !== 'INVALID_ELEMENT') expect(ofValues).toEqual(ofText);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes a list of flat rows, however many dimensions a row has', () => {
    const target = new Int8Array(8);
    const values = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    expect(writeValueElements(values, tensorOf('INT8', [2, 2, 2]), target)).toBeUndefined();
    expect([...target]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('says which element of a nested tensor is wrong, counted row by row', () => {
    const values = [
      [1, 2],
      [3, 'four'],
    ];
    expect(writeValueElements(values, tensorOf('INT8', [2, 2]), new Int8Array(4))?.message).toBe(
      'Element 3 of input "x" is a string; INT8 takes whole numbers from -128 to 127.',
    );
  });
});

describe('readValueStrings', () => {
  it('gives back any strings, sent flat and sent nested', () => {
    fc.assert(
      fc.property(anyTensor, fc.boolean(), (tensor, flat) => {
        fc.pre(tensor.datatype === 'BYTES');
        const sent = flat ? tensor.strings : nested(tensor.strings, tensor.shape);
        expect(readValueStrings(sent, tensor)).toEqual({ ok: true, value: tensor.strings });
      }),
    );
  });

  it('reads binary data that is UTF-8, which is how some encoders send byte strings', () => {
    const values = [Buffer.from('grün'), 'blau'];
    expect(readValueStrings(values, tensorOf('BYTES', [2]))).toEqual({ ok: true, value: ['grün', 'blau'] });
  });

  it.each([[1], [null], [true], [{}], [Buffer.of(0xff)]])('refuses %j as an element', (value) => {
    expect(readValueStrings([value], tensorOf('BYTES', [1]))).toMatchObject({ code: 'INVALID_ELEMENT' });
  });
});
