/** Elements from JSON text, for every datatype: exact values, counts and shapes, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorTable, type WireError } from '../../../gateway/wire/error-code.ts';
import { writeJsonElements } from '../../../gateway/wire/json-elements.ts';
import {
  elementBytes,
  typedView,
  type NumericArray,
  type NumericDatatype,
} from '../../../runtime/tensor/dtype.ts';
import { halfToNumber, numberToHalf } from '../../../runtime/tensor/half-float.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { shapes, waysToWrite } from './json-tensor-text.ts';

function targetFor(datatype: NumericDatatype, shape: readonly number[]): NumericArray {
  const count = elementCount(shape);
  const buffer = new ArrayBuffer(count * elementBytes(datatype));
  return typedView(datatype, { buffer, byteOffset: 0, elementCount: count });
}

/** Stands around every span, so that reading outside it shows. */
const before = '9,[1';
const behind = '1],9]';

function parse(
  text: string | Uint8Array,
  datatype: NumericDatatype,
  shape: readonly number[],
): (number | bigint)[] | WireError {
  const span = Buffer.from(text);
  const whole = Buffer.concat([Buffer.from(before), span, Buffer.from(behind)]);
  const source = { text: whole, start: before.length, end: before.length + span.length };
  const target = targetFor(datatype, shape);
  return writeJsonElements(source, { name: 'x', datatype, shape }, target) ?? [...target];
}

function codeOf(result: unknown): string {
  return typeof result === 'object' && result !== null && 'code' in result ? String(result.code) : 'no error';
}

const elements: Readonly<Record<NumericDatatype, fc.Arbitrary<number | bigint>>> = {
  BOOL: fc.constantFrom(0, 1),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32768, max: 32767 }),
  INT32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  FP16: fc.integer({ min: 0, max: 0x7bff }).map(halfToNumber),
  FP32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  FP64: fc.double({ noNaN: true, noDefaultInfinity: true }),
};

const datatypes: readonly NumericDatatype[] = [
  ...(['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'] as const),
  ...(['FP16', 'FP32', 'FP64'] as const),
];

describe('numbers from JSON text', () => {
  it.each(datatypes)('reads %s of any shape, flat, nested or in flat rows', (datatype) => {
    const tensors = shapes.chain((shape) => {
      const count = elementCount(shape);
      return fc.tuple(
        fc.constant(shape),
        fc.array(elements[datatype], { minLength: count, maxLength: count }),
      );
    });
    fc.assert(
      fc.property(tensors, ([shape, values]) => {
        const wanted = datatype === 'FP16' ? values.map((value) => numberToHalf(Number(value))) : values;
        // JSON.stringify drops the sign of zero.
        const plain = wanted.map((value) => (value === 0 ? 0 : value));
        for (const text of waysToWrite(values, shape)) expect(parse(text, datatype, shape)).toEqual(plain);
      }),
    );
  });

  it('gives every number the value that JSON.parse gives it', () => {
    const digits = fc.stringMatching(/^[0-9]{1,25}$/).map((text) => text.replace(/^0+(?=.)/, ''));
    const fraction = fc.option(fc.stringMatching(/^[0-9]{1,25}$/));
    const exponent = fc.option(
      fc.tuple(fc.constantFrom('e', 'E', 'e-', 'E+'), fc.integer({ min: 0, max: 330 })),
    );
    const numbers = fc
      .tuple(fc.constantFrom('', '-'), digits, fraction, exponent)
      .map(
        ([sign, whole, part, power]) =>
          sign + whole + (part === null ? '' : `.${part}`) + (power ?? []).join(''),
      );
    fc.assert(
      fc.property(
        fc.oneof(numbers, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)),
        (text) => {
          const value = Number(text);
          const result = parse(`[${text}]`, 'FP64', [1]);
          if (Number.isFinite(value)) expect(result).toEqual([value]);
          else expect(codeOf(result)).toBe('INVALID_ELEMENT');
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('keeps the sign of zero', () => {
    expect(parse('[-0, -0.0, -0e5, 0]', 'FP64', [4])).toEqual([-0, -0, -0, 0]);
    expect(parse('[-0.0]', 'FP16', [1])).toEqual([0x8000]);
  });

  it.each([
    ['INT64', '9223372036854775807', 2n ** 63n - 1n],
    ['INT64', '-9223372036854775808', -(2n ** 63n)],
    ['INT64', '9007199254740993', 9007199254740993n],
    ['INT64', '9007199254740993.0', 9007199254740993n],
    ['INT64', '9.007199254740993e15', 9007199254740993n],
    ['INT64', '900719925474099300e-2', 9007199254740993n],
    ['INT64', '1e18', 10n ** 18n],
    ['INT64', '1.0', 1n],
    ['INT64', '-0', 0n],
    ['INT64', '0e999999999999', 0n],
    ['INT64', '999999999999999', 999999999999999n],
    ['UINT64', '18446744073709551615', 2n ** 64n - 1n],
    ['UINT64', '-0.0', 0n],
    ['INT32', '1e3', 1000],
    ['INT32', '1.0', 1],
    ['INT32', '-2147483648.0', -2147483648],
    ['UINT8', '2.55e2', 255],
    ['FP16', '65519.99', 0x7bff],
    ['FP16', '0.1', 0x2e66],
    ['FP16', '"NaN"', 0x7e00],
    ['FP16', '"-Infinity"', 0xfc00],
    ['FP32', '3.4028235e38', 3.4028234663852886e38],
    ['FP32', '1e-60', 0],
    ['FP32', '"NaN"', NaN],
    ['FP32', '"Infinity"', Infinity],
    ['FP64', '"-Infinity"', -Infinity],
    ['FP64', '1.7976931348623157e308', Number.MAX_VALUE],
    ['BOOL', 'true', 1],
    ['BOOL', 'false', 0],
    ['BOOL', '1', 1],
    ['BOOL', '0', 0],
  ] as const)('reads as %s the element %s', (datatype, text, value) => {
    expect(parse(`[ ${text} ]`, datatype, [1])).toEqual([value]);
  });

  it.each([
    ...(
      [
        '1.5',
        '1e-1',
        '9223372036854775808',
        '-9223372036854775809',
        '1e19',
        '1e400',
        '9007199254740993.5',
      ] as const
    ).map((text) => ['INT64', text] as const),
    ...(['-1', '18446744073709551616', '"1"', 'true', 'null', '{}'] as const).map(
      (text) => ['UINT64', text] as const,
    ),
    ...(['1.5', '2147483648', '-2147483649', '"NaN"', '1e400', 'false'] as const).map(
      (text) => ['INT32', text] as const,
    ),
    ...(['-1', '256', '0.5'] as const).map((text) => ['UINT8', text] as const),
    ...(['65520', '-1e10', '1e999', '"nan"', 'null', 'true'] as const).map((text) => ['FP16', text] as const),
    ...(['3.5e38', '-1e39', '1e999', '"inf"', '"1"', 'null', '{"a":1}'] as const).map(
      (text) => ['FP32', text] as const,
    ),
    ...(['1e309', '-1e309', '"NaN "', '""', 'null'] as const).map((text) => ['FP64', text] as const),
    ...(['2', '-1', '0.5', '"true"', 'null', '"NaN"'] as const).map((text) => ['BOOL', text] as const),
  ])('refuses as %s the element %s and says which it is', (datatype, text) => {
    const fine = datatype === 'BOOL' ? 'true' : '1';
    const result = parse(`[[${fine},${fine}],[${fine}, ${text} ]]`, datatype, [2, 2]);
    expect(result).toMatchObject({
      code: 'INVALID_ELEMENT',
      message: expect.stringContaining(`Element 3 of input "x" is ${text}; ${datatype} takes`) as string,
    });
  });

  it('names the failing element also far behind the first', () => {
    const values = Array.from({ length: 5000 }, (_, index) => (index === 4321 ? 300 : index % 256));
    expect(parse(JSON.stringify(values), 'UINT8', [5000])).toMatchObject({
      message: 'Element 4321 of input "x" is 300; UINT8 takes whole numbers in its range.',
    });
  });

  it.each([
    ['[1,2,3]', [4], 'ELEMENT_COUNT_MISMATCH', 'has 3 elements, but its shape is [4], which takes 4'],
    [
      '[1,2,3,4,5]',
      [2, 2],
      'ELEMENT_COUNT_MISMATCH',
      'has 5 elements, but its shape is [2, 2], which takes 4',
    ],
    ['[]', [1], 'ELEMENT_COUNT_MISMATCH', 'has 0 elements, but its shape is [1], which takes 1'],
    ['[1]', [0, 4], 'ELEMENT_COUNT_MISMATCH', 'has 1 elements, but its shape is [0, 4], which takes 0'],
    ['[[1,2],[3,4],[5,6]]', [2, 3], 'SHAPE_MISMATCH', 'is nested as [3, 2], but its shape is [2, 3]'],
    ['[[1,2,3,4]]', [4], 'SHAPE_MISMATCH', 'is nested as [1, 4], but its shape is [4]'],
    ['[[[1],[2]]]', [1, 2], 'SHAPE_MISMATCH', 'is nested as [1, 2, 1], but its shape is [1, 2]'],
    ['[[1]]', [], 'SHAPE_MISMATCH', 'is nested as [1, 1], but its shape is []'],
    ['[[]]', [0, 4], 'SHAPE_MISMATCH', 'is nested as [1, 0], but its shape is [0, 4]'],
    ['[[1,2],[3]]', [2, 2], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [2, 2]'],
    ['[[1,2],3,4]', [2, 2], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [2, 2]'],
    ['[1,[2],3,4]', [4], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [4]'],
    ['[[1],[[2]]]', [2, 1], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [2, 1]'],
    ['[[],[[]]]', [2, 0], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [2, 0]'],
    ['[[[1,2],[3,4]],[5,6,7,8]]', [2, 2, 2], 'SHAPE_MISMATCH', 'is nested unevenly; its shape is [2, 2, 2]'],
    ['[1,2', [2], 'MALFORMED_JSON', 'is not a JSON array'],
    ['[1,2,]', [2], 'MALFORMED_JSON', 'is not a JSON array'],
    ['[01,2]', [2], 'MALFORMED_JSON', 'is not a JSON array'],
    ['[1,2]]', [2], 'MALFORMED_JSON', 'is not a JSON array'],
    ['', [0], 'MALFORMED_JSON', 'is not a JSON array'],
    ['5', [1], 'MALFORMED_JSON', 'is not a JSON array'],
  ] as const)('explains why %s does not fit the shape %j', (text, shape, code, message) => {
    for (const datatype of ['FP32', 'INT64', 'BOOL', 'INT32'] as const) {
      const result = parse(text.replace(/\d/g, datatype === 'BOOL' ? '1' : '$&'), datatype, shape);
      if (text !== '[01,2]' || datatype !== 'BOOL') expect(result).toMatchObject({ code });
      if (datatype === 'FP32')
        expect(result).toMatchObject({ message: expect.stringContaining(message) as string });
    }
  });

  it('answers mangled text with values or a declared code, and never throws', () => {
    const texts = shapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.constantFrom(
          ...waysToWrite(
            Array.from({ length: elementCount(shape) }, () => 1),
            shape,
          ),
        ),
        fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from('[],10 "-.eNtf{}:'))), { maxLength: 3 }),
        fc.constantFrom(...datatypes),
      ),
    );
    fc.assert(
      fc.property(texts, ([shape, text, edits, datatype]) => {
        const bytes = Buffer.from(text);
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        const result = parse(bytes, datatype, shape);
        if (!Array.isArray(result)) expect(Object.keys(errorTable)).toContain(result.code);
        else expect(elementCount(shape)).toBe(result.length);
      }),
      { numRuns: 5_000 },
    );
  });

  it('throws when the target does not have the size of the shape, which is a fault of the caller', () => {
    const source = { text: Buffer.from('[1]'), start: 0, end: 3 };
    const tensor = { name: 'x', datatype: 'FP32', shape: [1] } as const;
    expect(() => writeJsonElements(source, tensor, new Float32Array(2))).toThrow('the target holds');
    expect(() => writeJsonElements(source, tensor, new Float64Array(1))).toThrow('the target holds');
  });
});
