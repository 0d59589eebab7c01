/** The msgpack form of the protocol: round trips of every datatype and rank through msgpackr, mangled bodies, declared codes. */
import fc from 'fast-check';
import { pack, Packr, unpack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { elementBytes, typedView } from '../../../runtime/tensor/dtype.ts';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import { errorTable } from '../../../gateway/wire/error-code.ts';
import type { InferReply, OutputColumn } from '../../../gateway/wire/infer-request.ts';
import { decodeOipMsgpack, encodeMsgpackError, encodeOipMsgpack } from '../../../gateway/wire/oip-msgpack.ts';
import { readStrings, writeElements } from '../../../gateway/wire/tensor-elements.ts';
import { anyTensor, anyText, bytesOf, emptyTarget, type ArbitraryTensor } from './arbitrary-tensor.ts';

function encoded(reply: InferReply): Uint8Array {
  const writer = new ByteWriter(16);
  encodeOipMsgpack(reply, writer);
  return writer.bytes();
}

/** How a client sends a tensor: numbers as `bin`, strings as an array. */
function sent({ name, datatype, shape, packed, strings }: ArbitraryTensor) {
  return { name, shape, datatype, data: datatype === 'BYTES' ? strings : Buffer.from(packed) };
}

const anyId = fc.oneof(anyText, fc.nat(0xffffffff));

describe('decodeOipMsgpack', () => {
  it('gives back what a client packed, whatever the datatypes, shapes and order of fields', () => {
    fc.assert(
      fc.property(
        fc.array(anyTensor, { maxLength: 3 }),
        fc.option(anyId, { nil: undefined }),
        fc.option(fc.array(anyText, { maxLength: 3 }), { nil: undefined }),
        fc.boolean(),
        (tensors, id, outputs, inputsFirst) => {
          const inputs = tensors.map(sent);
          const rest = {
            ...(id === undefined ? {} : { id }),
            ...(outputs === undefined
              ? {}
              : { outputs: outputs.map((name) => ({ name, parameters: { a: [1] } })) }),
          };
          const body = pack(
            inputsFirst ? { inputs, ...rest } : { ...rest, parameters: { other: 'x' }, inputs },
          );
          const result = decodeOipMsgpack(body);
          if (!result.ok) throw new Error(result.message);
          expect(result.value.id).toBe(id);
          expect(result.value.outputs).toEqual(outputs);
          expect(result.value.inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
            tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
          );
          result.value.inputs.forEach((input, index) => {
            if (input.datatype === 'BYTES') {
              expect(readStrings(input)).toEqual({ ok: true, value: tensors[index]?.strings });
            } else {
              const target = emptyTarget(input.datatype, input.shape);
              expect(writeElements(input, target)).toBeUndefined();
              expect(bytesOf(target)).toEqual([...(tensors[index]?.packed ?? [])]);
            }
          });
        },
      ),
    );
  });

  it('reads arrays of values of every width that an encoder may choose', () => {
    const data = [0, -1, 200, -200, 70000, -70000, 5e9, 2n ** 62n];
    const inputs = [{ name: 'x', shape: [2, 4], datatype: 'INT64', data: [data.slice(0, 4), data.slice(4)] }];
    // 5e9 travels as a float and 2^62 as a 64-bit integer; both are whole numbers and so both are exact.
    const result = decodeOipMsgpack(pack({ inputs }));
    if (!result.ok) throw new Error(result.message);
    const target = new BigInt64Array(8);
    expect(result.value.inputs.map((input) => writeElements(input, target))).toEqual([undefined]);
    expect([...target]).toEqual(data.map(BigInt));
  });

  it('copies no binary data: the tensor points into the body', () => {
    const body = pack({
      inputs: [{ name: 'x', shape: [4], datatype: 'UINT8', data: Buffer.of(1, 2, 3, 4) }],
    });
    const result = decodeOipMsgpack(body);
    const source = result.ok ? result.value.inputs[0]?.source : undefined;
    expect(source?.kind === 'packed' && source.bytes.buffer === body.buffer).toBe(true);
  });

  it('treats nil in an optional field as not sent', () => {
    expect(decodeOipMsgpack(pack({ id: null, inputs: [], outputs: null }))).toEqual({
      ok: true,
      value: { id: undefined, inputs: [], outputs: undefined },
    });
  });

  it('ignores unknown keys, also those that mean something to JavaScript or to a stream', () => {
    const body = Buffer.concat([
      Buffer.of(0x85),
      pack('__proto__'),
      pack({ inputs: [], polluted: true }),
      pack('constructor'),
      pack({ prototype: { polluted: true } }),
      pack('model'),
      pack([1]),
      pack('version'),
      pack(7),
      pack('inputs'),
      pack([]),
    ]);
    expect(decodeOipMsgpack(body)).toEqual({
      ok: true,
      value: { id: undefined, inputs: [], outputs: undefined },
    });
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  const input = { name: 'x', shape: [1], datatype: 'FP32', data: [1] };
  it.each<[string, unknown, string, string]>([
    ['a body that is an array', [1], 'INVALID_REQUEST', 'the message must be a map'],
    ['no inputs', { id: 'a' }, 'INVALID_REQUEST', 'inputs is missing'],
    ['inputs that are nil', { inputs: null }, 'INVALID_REQUEST', 'inputs must be an array'],
    ['inputs that are a map', { inputs: {} }, 'INVALID_REQUEST', 'inputs must be an array'],
    ['an input that is a number', { inputs: [1] }, 'INVALID_REQUEST', 'an element of inputs must be a map'],
    [
      'an input without a name',
      { inputs: [{ ...input, name: null }] },
      'INVALID_REQUEST',
      'must be a string',
    ],
    [
      'an input without data',
      { inputs: [{ name: 'x', shape: [1], datatype: 'FP32' }] },
      'INVALID_REQUEST',
      'Input "x" needs',
    ],
    ['an input without anything', { inputs: [{}] }, 'INVALID_REQUEST', 'An input needs'],
    [
      'an unknown datatype',
      { inputs: [{ ...input, datatype: 'float' }] },
      'INVALID_REQUEST',
      '"float" is none of BOOL',
    ],
    [
      'a datatype that every object has',
      { inputs: [{ ...input, datatype: 'toString' }] },
      'INVALID_REQUEST',
      'none of',
    ],
    [
      'a negative dimension',
      { inputs: [{ ...input, shape: [-1] }] },
      'INVALID_REQUEST',
      'whole number from 0',
    ],
    [
      'a fractional dimension',
      { inputs: [{ ...input, shape: [1.5] }] },
      'INVALID_REQUEST',
      'must be a whole number',
    ],
    [
      'a dimension beyond 2^53',
      { inputs: [{ ...input, shape: [2n ** 53n] }] },
      'INVALID_REQUEST',
      'whole number',
    ],
    [
      'a shape whose product overflows',
      { inputs: [{ ...input, shape: [1e9, 1e9] }] },
      'INVALID_REQUEST',
      '2^53',
    ],
    [
      'data that is a map',
      { inputs: [{ ...input, data: {} }] },
      'INVALID_REQUEST',
      'binary data or an array',
    ],
    [
      'data that is a number',
      { inputs: [{ ...input, data: 1 }] },
      'INVALID_REQUEST',
      'binary data or an array',
    ],
    ['an output without a name', { inputs: [], outputs: [{}] }, 'INVALID_REQUEST', 'needs a name'],
    ['an output that is a string', { inputs: [], outputs: ['y'] }, 'INVALID_REQUEST', 'must be a map'],
    ['an id that is negative', { id: -1, inputs: [] }, 'INVALID_REQUEST', 'id must be a whole number'],
    ['an id that is a fraction', { id: 0.5, inputs: [] }, 'INVALID_REQUEST', 'id must be a whole number'],
    ['an id that is true', { id: true, inputs: [] }, 'INVALID_REQUEST', 'id must be a whole number'],
    ['more inputs than any model has', { inputs: Array(1025).fill({}) }, 'INVALID_REQUEST', 'at most 1024'],
  ])('refuses %s', (_, body, code, message) => {
    const result = decodeOipMsgpack(new Packr({ useRecords: false }).pack(body));
    expect(result).toMatchObject({ ok: false, code });
    expect(result.ok ? '' : result.message).toContain(message);
  });

  it('refuses a field that is given twice', () => {
    const body = Buffer.concat([Buffer.of(0x82), pack('inputs'), pack([]), pack('inputs'), pack([])]);
    expect(decodeOipMsgpack(body)).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'The field inputs is given twice.',
    });
  });

  it('says of an empty body that it is empty', () => {
    expect(decodeOipMsgpack(new Uint8Array(0))).toMatchObject({ code: 'EMPTY_BODY' });
  });

  it('answers any mangled message with a declared code, and never throws', () => {
    const byte = fc.nat(255);
    fc.assert(
      fc.property(
        fc.array(anyTensor, { minLength: 1, maxLength: 2 }),
        fc.array(fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'cut', 'insert', 'drop'), byte }), {
          minLength: 1,
          maxLength: 4,
        }),
        (tensors, edits) => {
          let body: Uint8Array = pack({ id: 'a', inputs: tensors.map(sent), outputs: [{ name: 'y' }] });
          for (const edit of edits) {
            const at = edit.at % (body.length + 1);
            const head = body.subarray(0, at);
            const tail = body.subarray(edit.kind === 'set' || edit.kind === 'drop' ? at + 1 : at);
            const middle = edit.kind === 'set' || edit.kind === 'insert' ? [edit.byte] : [];
            body = edit.kind === 'cut' ? head : Buffer.concat([head, Uint8Array.from(middle), tail]);
          }
          const result = decodeOipMsgpack(body);
          if (!result.ok) {
            expect(Object.hasOwn(errorTable, result.code)).toBe(true);
            expect(result.code).not.toBe('INTERNAL');
            return;
          }
          for (const input of result.value.inputs) {
            // A mangled shape may be huge; admission refuses those before a target is made.
            if (input.shape.reduce((product, size) => product * size, 1) > 4096) continue;
            const error =
              input.datatype === 'BYTES'
                ? readStrings(input)
                : writeElements(input, emptyTarget(input.datatype, input.shape));
            if (error?.ok === false) expect(Object.hasOwn(errorTable, error.code)).toBe(true);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('refuses every proper prefix of a message', () => {
    const body = pack({
      id: 'a',
      inputs: [{ ...input, data: [1.5, 'a', 2n ** 60n, null] }],
      outputs: [{ name: 'y' }],
    });
    for (let length = 1; length < body.length; length++) {
      expect(decodeOipMsgpack(body.subarray(0, length))).toMatchObject({ code: 'MALFORMED_MSGPACK' });
    }
  });
});

describe('encodeOipMsgpack', () => {
  const anyColumn = fc
    .record({ tensor: anyTensor, rows: fc.integer({ min: 1, max: 4 }), before: fc.nat(2), after: fc.nat(2) })
    .chain(({ tensor, rows, before, after }) => {
      const rowElements = tensor.shape.reduce((product, size) => product * size, 1);
      const bytes = rowElements * elementBytes(tensor.datatype);
      const repeat = before + rows + after;
      const data = new Uint8Array(repeat * bytes).map(
        (_, index) => (tensor.packed[index % bytes] ?? 0) ^ (index < before * bytes ? 1 : 0),
      );
      const strings = Array.from({ length: repeat }, (_, row) =>
        tensor.strings.map((text) => `${row}${text}`),
      ).flat();
      return fc.constant({ tensor, rows, before, rowElements, bytes, data, strings });
    });

  it('writes the rows of a request, and only those, so that msgpackr reads them back', () => {
    fc.assert(
      fc.property(anyColumn, fc.option(anyId, { nil: undefined }), fc.boolean(), (column, id, batched) => {
        const { tensor, rows, before, rowElements, bytes, data, strings } = column;
        const { name, datatype, shape } = tensor;
        const start = batched ? before : 0;
        const taken = batched ? rows : 1;
        const all =
          datatype === 'BYTES'
            ? strings
            : typedView(datatype, {
                buffer: data.buffer,
                byteOffset: 0,
                elementCount: data.length / elementBytes(datatype),
              });
        const output: OutputColumn = { name, datatype, rowShape: shape, rowElements, data: all };
        const reply = {
          id,
          modelName: 'm',
          modelVersion: '1',
          columns: [output],
          batched,
          rowStart: start,
          rows: taken,
          options: undefined,
        };
        expect(unpack(encoded(reply))).toEqual({
          ...(id === undefined ? {} : { id }),
          model_name: 'm',
          model_version: '1',
          outputs: [
            {
              name,
              shape: batched ? [rows, ...shape] : shape,
              datatype,
              data:
                datatype === 'BYTES'
                  ? strings.slice(start * rowElements, (start + taken) * rowElements)
                  : data.slice(start * bytes, (start + taken) * bytes),
            },
          ],
        });
      }),
    );
  });

  it('is the inverse of decoding: an output sent back as an input has the same elements', () => {
    fc.assert(
      fc.property(anyTensor, (tensor) => {
        const { name, datatype, shape, packed, strings } = tensor;
        const elements = datatype === 'BYTES' ? strings : emptyTarget(datatype, shape);
        if (ArrayBuffer.isView(elements)) new Uint8Array(elements.buffer).set(packed);
        const rowElements = shape.reduce((product, size) => product * size, 1);
        const columns = [{ name, datatype, rowShape: shape, rowElements, data: elements }];
        const bytes = encoded({
          id: 'a',
          modelName: '',
          modelVersion: '',
          columns,
          batched: false,
          rowStart: 0,
          rows: 1,
          options: undefined,
        });
        const reply: unknown = unpack(bytes);
        const outputs =
          typeof reply === 'object' && reply !== null && 'outputs' in reply ? reply.outputs : undefined;
        const result = decodeOipMsgpack(pack({ inputs: outputs }));
        expect(result).toMatchObject({ ok: true, value: { inputs: [{ name, datatype, shape }] } });
        const input = result.ok ? result.value.inputs[0] : undefined;
        if (input === undefined) return;
        if (datatype === 'BYTES') {
          expect(readStrings(input)).toEqual({ ok: true, value: strings });
        } else {
          const target = emptyTarget(datatype, shape);
          expect(writeElements(input, target)).toBeUndefined();
          expect(bytesOf(target)).toEqual([...packed]);
        }
      }),
    );
  });
});

describe('encodeMsgpackError', () => {
  it('writes the message and the code', () => {
    const writer = new ByteWriter();
    encodeMsgpackError({ ok: false, code: 'QUEUE_FULL', message: 'Später, bitte.' }, writer);
    expect(unpack(writer.bytes())).toEqual({ error: 'Später, bitte.', code: 'QUEUE_FULL' });
  });
});
