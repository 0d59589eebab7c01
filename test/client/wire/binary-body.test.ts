/** The binary tensor extension: layout as the extension says, every tensor aligned, lengths checked to the byte. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tensor, TidegateError } from '../../../client/main.ts';
import { elementBytes } from '../../../client/tensor/datatype.ts';
import { decodeBinaryBody, encodeBinaryBody } from '../../../client/wire/binary-body.ts';
import { anyRequest, anyTensor, requestOf } from '../any-tensor.ts';
import { packedBytes } from '../../../client/tensor/packed-data.ts';

interface Header {
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly datatype: Parameters<typeof elementBytes>[0];
    readonly parameters: { readonly binary_data_size: number };
  }[];
  readonly outputs?: unknown;
  readonly parameters: Readonly<Record<string, unknown>>;
}

function headerOf(body: Uint8Array, bytes: number): Header {
  return JSON.parse(Buffer.from(body.subarray(0, bytes)).toString()) as Header;
}

describe('a request', () => {
  test('is a padded JSON header and the bytes of the tensors', () => {
    const { body, headerBytes } = encodeBinaryBody(
      requestOf([{ name: 'x', ...tensor('FP32', [1, 2], [1, 2]) }], {
        outputs: ['y'],
        remainingMs: 250,
        priority: 1,
      }),
    );
    expect(headerBytes % 8).toBe(0);
    expect(headerOf(body, headerBytes)).toEqual({
      inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } }],
      outputs: [{ name: 'y', parameters: { binary_data: true } }],
      parameters: { timeout: 250_000, priority: 1, binary_data_output: true },
    });
    expect([...body.subarray(headerBytes)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]);
  });

  test('holds every tensor once, each aligned to its elements', () => {
    fc.assert(
      fc.property(anyRequest(), (request) => {
        const { body, headerBytes } = encodeBinaryBody(request);
        let offset = headerBytes;
        const found = headerOf(body, headerBytes).inputs.map(({ name, datatype, parameters }) => {
          expect(offset % Math.max(1, elementBytes(datatype))).toBe(0);
          const bytes = body.subarray(offset, offset + parameters.binary_data_size);
          offset += parameters.binary_data_size;
          return [name, Buffer.from(bytes).toString('hex')];
        });
        expect(offset).toBe(body.length);
        const sent = request.inputs.map((input) => [
          input.name,
          Buffer.from(packedBytes(input)).toString('hex'),
        ]);
        expect(found.toSorted()).toEqual(sent.toSorted());
      }),
    );
  });
});

/** A server's answer with these outputs in binary. */
function answerOf(outputs: readonly ReturnType<typeof named>[]): { body: Uint8Array; length: string } {
  const parts = outputs.map((output) => packedBytes(output));
  const header = Buffer.from(
    JSON.stringify({
      model_name: 'm',
      model_version: '3',
      outputs: outputs.map(({ name, shape, datatype }, index) => ({
        name,
        shape,
        datatype,
        parameters: { binary_data_size: parts[index]?.length },
      })),
    }),
  );
  return { body: Uint8Array.from(Buffer.concat([header, ...parts])), length: String(header.length) };
}

function named(name: string, values: readonly number[]) {
  return { name, ...tensor('FP32', [values.length], values) };
}

describe('an answer', () => {
  test('gives its tensors back, whatever they hold and wherever they lie', () => {
    fc.assert(
      fc.property(fc.array(anyTensor(), { maxLength: 4 }), (outputs) => {
        const { body, length } = answerOf(outputs as ReturnType<typeof named>[]);
        const result = decodeBinaryBody(body, length);
        expect(result.outputs.map((output) => [output.name, output.shape, output.datatype])).toEqual(
          outputs.map((output) => [output.name, output.shape, output.datatype]),
        );
        expect(result.outputs.map(packedBytes)).toEqual(outputs.map(packedBytes));
      }),
    );
  });

  test('may mix binary and JSON outputs, and be all JSON', () => {
    const header = Buffer.from(
      '{"model_name":"m","outputs":[{"name":"a","shape":[1],"datatype":"INT64","data":[9223372036854775807]},' +
        '{"name":"b","shape":[1],"datatype":"UINT8","parameters":{"binary_data_size":1}}]}',
    );
    const mixed = decodeBinaryBody(Uint8Array.from([...header, 7]), String(header.length));
    expect(mixed.output('a', 'INT64').data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
    expect(mixed.output('b', 'UINT8').data).toEqual(Uint8Array.of(7));
    expect(mixed.version).toBe('');
  });

  const sound = answerOf([named('y', [1, 2])]);
  test.each([
    ['a header length that is no number', sound.body, 'x'],
    ['a header longer than the body', sound.body, '100000'],
    ['a header that ends too soon', sound.body, '10'],
    ['a tensor that ends too soon', sound.body.subarray(0, -1), sound.length],
    ['bytes behind the last tensor', Uint8Array.from([...sound.body, 0]), sound.length],
  ])('with %s is refused', (_, body, length) => {
    expect(() => decodeBinaryBody(body, length)).toThrow(
      expect.objectContaining({ code: 'INVALID_RESPONSE' }),
    );
  });

  test('that is damaged anywhere is read or refused with a TidegateError', () => {
    fc.assert(
      fc.property(fc.nat(sound.body.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const body = sound.body.slice();
        body[at] = value;
        try {
          decodeBinaryBody(body, sound.length);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TidegateError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
