/** JSON both ways: exact whole numbers, values that JSON does not have, nested and flat data. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tensor } from '../../../client/main.ts';
import { packedBytes } from '../../../client/tensor/packed-data.ts';
import { decodeBinaryBody } from '../../../client/wire/binary-body.ts';
import { encodeJsonBody, parseJsonObject } from '../../../client/wire/json-message.ts';
import { anyTensor, requestOf } from '../any-tensor.ts';

function decode(text: string): ReturnType<typeof decodeBinaryBody> {
  return decodeBinaryBody(new TextEncoder().encode(text), null);
}

test('a request is the JSON of the protocol', () => {
  const inputs = [
    { name: 'a', ...tensor('INT64', [1, 2], [2n ** 63n - 1n, -1n]) },
    { name: 'b', ...tensor('BOOL', [2], [true, false]) },
    { name: 'c', ...tensor('FP32', [3], [NaN, -Infinity, -0]) },
    { name: 'd', ...tensor('FP16', [1], [1.5]) },
    { name: 'e', ...tensor('BYTES', [1], ['"quoted"']) },
  ];
  expect(encodeJsonBody(requestOf(inputs, { outputs: ['y'], remainingMs: 20.5 }))).toBe(
    '{"inputs":[{"name":"a","shape":[1,2],"datatype":"INT64","data":[9223372036854775807,-1]},' +
      '{"name":"b","shape":[2],"datatype":"BOOL","data":[true,false]},' +
      '{"name":"c","shape":[3],"datatype":"FP32","data":["NaN","-Infinity",-0]},' +
      '{"name":"d","shape":[1],"datatype":"FP16","data":[1.5]},' +
      '{"name":"e","shape":[1],"datatype":"BYTES","data":["\\"quoted\\""]}],' +
      '"outputs":[{"name":"y"}],"parameters":{"timeout":21000}}',
  );
});

test('bytes that are no text cannot go as JSON', () => {
  const input = { name: 'e', ...tensor('BYTES', [1], [Uint8Array.of(0xff)]) };
  expect(() => encodeJsonBody(requestOf([input]))).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  );
});

test('every tensor that is written reads back to the same bits', () => {
  fc.assert(
    fc.property(anyTensor({ textOnly: true }), (input) => {
      const { inputs } = { inputs: encodeJsonBody(requestOf([input])) };
      const [found] = decode(`{"outputs":${inputs.slice('{"inputs":'.length)}`).outputs;
      const isNaNHere = 'data' in input && [...input.data].some((value) => Number.isNaN(value));
      // A NaN has many bit patterns, and JSON one word for all of them; FP16 hides them in its integers.
      if (isNaNHere || input.datatype === 'FP16') expect(found?.data.length).toBe(input.data.length);
      else expect(found === undefined ? undefined : packedBytes(found)).toEqual(packedBytes(input));
    }),
  );
});

describe('an answer', () => {
  test('keeps whole numbers of 64 bits, and texts that look like them', () => {
    const result = decode(
      '{"model_name":"m","outputs":[{"name":"n","shape":[2],"datatype":"UINT64","data":[18446744073709551615, 5]},' +
        '{"name":"t","shape":[2],"datatype":"BYTES","data":["[12345678901234567890]","\\\\\\"9999999999999999999,"]},' +
        '{"name":"f","shape":[2],"datatype":"FP64","data":[12345678901234567890,0.12345678901234567891]}]}',
    );
    expect(result.output('n').data).toEqual(BigUint64Array.of(2n ** 64n - 1n, 5n));
    expect(result.output('t').data).toEqual(['[12345678901234567890]', '\\"9999999999999999999,']);
    expect(result.output('f').data).toEqual(Float64Array.of(12345678901234567890, 0.12345678901234568));
  });

  test('may be nested as its shape says, and hold what JSON has no number for', () => {
    const result = decode(
      '{"outputs":[{"name":"y","shape":[2,2],"datatype":"FP32","data":[[1,"NaN"],["Infinity","-Infinity"]]}]}',
    );
    expect(result.output('y', 'FP32').data).toEqual(Float32Array.of(1, NaN, Infinity, -Infinity));
  });

  test.each([
    ['no JSON', 'nonsense'],
    ['a list', '[]'],
    ['no outputs', '{"model_name":"m"}'],
    ['an output without a shape', '{"outputs":[{"name":"y","datatype":"FP32","data":[1]}]}'],
    ['an unknown datatype', '{"outputs":[{"name":"y","datatype":"FP8","shape":[1],"data":[1]}]}'],
    ['too few elements', '{"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1]}]}'],
    ['elements of the wrong kind', '{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[{}]}]}'],
    ['a value outside its datatype', '{"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[500]}]}'],
    ['numbers for text', '{"outputs":[{"name":"y","datatype":"BYTES","shape":[1],"data":[5]}]}'],
  ])('of %s is refused', (_, text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'INVALID_RESPONSE' }));
  });

  test('is any JSON object with the same values, long numbers aside', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          fc.jsonValue(),
        ),
        (value) => {
          const text = JSON.stringify(value);
          fc.pre(!/\d{16}/.test(text));
          expect(parseJsonObject(text)).toEqual(JSON.parse(text));
        },
      ),
    );
  });
});
