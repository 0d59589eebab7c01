/**
 * The binary tensor data extension byte by byte: the messages below are written by hand from Triton's
 * extension_binary_data.md. What the gateway does with them is in test/e2e/binary-tensors.test.ts.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementBytes } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature, TensorSpec } from '../../../runtime/tensor/signature.ts';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import type { InferReply, OutputColumn, RequestOptions } from '../../../gateway/wire/infer-request.ts';
import { decodeOipBinary, readJsonBytes } from '../../../gateway/wire/oip-binary.ts';
import { encodeOip } from '../../../gateway/wire/oip-binary-answer.ts';
import { readStrings, writeElements } from '../../../gateway/wire/tensor-elements.ts';
import { anyTensor, bytesOf, emptyTarget } from './arbitrary-tensor.ts';

const noModel: ModelSignature = { inputs: [], outputs: [], batching: 'rows' };

function modelOf(...inputs: readonly TensorSpec[]): ModelSignature {
  return { inputs, outputs: [], batching: 'rows' };
}

const allBinary: RequestOptions = {
  dueWithinMs: undefined,
  priority: 0,
  outputForms: undefined,
  sequence: undefined,
  defaultForm: { binary: true, classes: 0 },
};

describe('requests', () => {
  /** The example of the specification: one input of three BOOL, one of JSON, one of INT32 behind it. */
  const json = Buffer.from(
    '{"model_name":"mymodel","inputs":[' +
      '{"name":"input0","shape":[2,2],"datatype":"UINT32","parameters":{"binary_data_size":16}},' +
      '{"name":"input1","shape":[3],"datatype":"BOOL","data":[true,false,true]},' +
      '{"name":"input2","shape":[2],"datatype":"FP16","parameters":{"binary_data_size":4}},' +
      '{"name":"input3","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}}' +
      '],"outputs":[{"name":"output0","parameters":{"binary_data":true}},{"name":"output1"}]}',
  );
  const bytes = Buffer.of(
    ...[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    ...[0x00, 0x3c, 0x00, 0xc0],
    ...[3, 0, 0, 0, 0x61, 0x62, 0x63, 0, 0, 0, 0],
  );

  it('take each binary input from behind the JSON, in their order, and JSON inputs from the JSON', () => {
    const decoded = decodeOipBinary(Buffer.concat([json, bytes]), noModel, json.length);
    if (!decoded.ok) throw new Error(decoded.message);
    const [first, second, third, fourth] = decoded.value.inputs;
    const integers = new Uint32Array(4);
    expect(writeElements(first!, integers)).toBeUndefined();
    expect([...integers]).toEqual([1, 2, 3, 0xffffffff]);
    const flags = new Uint8Array(3);
    expect(writeElements(second!, flags)).toBeUndefined();
    expect([...flags]).toEqual([1, 0, 1]);
    const halves = new Uint16Array(2);
    expect(writeElements(third!, halves)).toBeUndefined();
    expect([...halves]).toEqual([0x3c00, 0xc000]);
    expect(readStrings(fourth!)).toEqual({ ok: true, value: ['abc', ''] });
    expect(decoded.value.outputs).toEqual(['output0', 'output1']);
    expect(decoded.value.options?.outputForms).toEqual([
      { binary: true, classes: 0 },
      { binary: false, classes: 0 },
    ]);
  });

  it('do not copy the bytes of a tensor', () => {
    const body = Buffer.concat([json, bytes]);
    const decoded = decodeOipBinary(body, noModel, json.length);
    const source = decoded.ok ? decoded.value.inputs[0]?.source : undefined;
    if (source?.kind !== 'packed') throw new Error('not packed');
    expect(source.bytes.buffer).toBe(body.buffer);
  });

  it('of any length but the right one have the code BINARY_SIZE_MISMATCH', () => {
    const body = Buffer.concat([json, bytes, Buffer.alloc(3)]);
    for (let length = json.length; length <= body.length; length++) {
      const decoded = decodeOipBinary(body.subarray(0, length), noModel, json.length);
      if (length === json.length + bytes.length) expect(decoded.ok).toBe(true);
      else expect(decoded).toMatchObject({ code: 'BINARY_SIZE_MISMATCH' });
    }
  });
});

describe('raw requests', () => {
  it.each([
    ['FP32', [-1, 2], 8, [1, 2]],
    ['FP32', [-1, -1], 12, [1, 3]],
    ['FP16', [-1, 3, -1], 12, [1, 3, 2]],
    ['INT64', [-1], 8, [1]],
    ['BYTES', [-1, 1], 5, [1, 1]],
  ] as const)('%s of %j in %i bytes has the shape %j', (datatype, shape, length, expected) => {
    const signature = modelOf({ name: 'x', datatype, shape });
    const decoded = decodeOipBinary(Buffer.alloc(length, 0x61), signature, 0);
    expect(decoded).toMatchObject({
      value: { inputs: [{ name: 'x', shape: expected }], options: { defaultForm: { binary: true } } },
    });
  });

  it.each([
    ['FP32', [-1, 2], 12, 'BINARY_SIZE_MISMATCH', 'expecting 8'],
    ['FP32', [-1, 2, -1], 12, 'BINARY_SIZE_MISMATCH', 'expecting a multiple of 8'],
    ['FP32', [-1, -1, -1], 12, 'SHAPE_MISMATCH', 'more than one variable-sized dimension'],
    ['BYTES', [-1, 2], 5, 'SHAPE_MISMATCH', 'the model must have input shape [1]'],
    ['BYTES', [-1, -1], 5, 'SHAPE_MISMATCH', 'the model must have input shape [1]'],
  ] as const)('%s of %j in %i bytes is refused (%s)', (datatype, shape, length, code, message) => {
    const decoded = decodeOipBinary(Buffer.alloc(length), modelOf({ name: 'x', datatype, shape }), 0);
    expect(decoded).toMatchObject({ ok: false, code });
    expect(decoded.ok ? '' : decoded.message).toContain(message);
  });
});

describe('the header', () => {
  it.each([
    ['0', 0],
    ['144', 144],
    ['007', 7],
  ] as const)('%j is %i', (text, value) => {
    expect(readJsonBytes(text)).toEqual({ ok: true, value });
  });

  it.each(['', ' ', '-1', '+1', '1.0', '1e3', '0x10', 'NaN', '1 2', '9'.repeat(20)])(
    '%j is refused',
    (text) => {
      expect(readJsonBytes(text)).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
    },
  );
});

describe('answers', () => {
  const column: OutputColumn = {
    name: 'y',
    datatype: 'FP32',
    rowShape: [2],
    rowElements: 2,
    data: Float32Array.of(9, 9, 0.5, -2),
  };
  const reply: InferReply = {
    id: 'a',
    modelName: 'm',
    modelVersion: '1',
    columns: [
      column,
      { ...column, name: 's', datatype: 'BYTES', rowShape: [], rowElements: 1, data: ['-', 'né'] },
    ],
    batched: true,
    rowStart: 1,
    rows: 1,
    options: allBinary,
  };

  function encoded(answer: InferReply): { readonly jsonBytes: number | undefined; readonly bytes: Buffer } {
    const writer = new ByteWriter(16);
    const jsonBytes = encodeOip(answer, writer);
    return { jsonBytes, bytes: Buffer.from(writer.bytes()) };
  }

  it('are JSON filled up with spaces to a multiple of 8, and the tensors behind it', () => {
    const { jsonBytes, bytes } = encoded(reply);
    const text =
      '{"model_name":"m","model_version":"1","id":"a","outputs":[' +
      '{"name":"y","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},' +
      '{"name":"s","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}';
    expect(jsonBytes).toBe(Math.ceil(text.length / 8) * 8);
    expect(bytes.subarray(0, jsonBytes).toString()).toBe(text.padEnd(jsonBytes ?? 0));
    expect([...bytes.subarray(jsonBytes)]).toEqual([
      ...[0, 0, 0, 0x3f, 0, 0, 0, 0xc0],
      ...[3, 0, 0, 0, 0x6e, 0xc3, 0xa9],
    ]);
  });

  it('are plain JSON when no output is wanted in binary', () => {
    const { jsonBytes, bytes } = encoded({ ...reply, options: undefined });
    expect(jsonBytes).toBeUndefined();
    expect(JSON.parse(bytes.toString())).toMatchObject({ outputs: [{ data: [0.5, -2] }, { data: ['né'] }] });
  });

  it('come back as the same tensor when they are sent as a request, whatever the datatype and shape', () => {
    fc.assert(
      fc.property(anyTensor, fc.option(fc.string(), { nil: undefined }), (tensor, id) => {
        const { name, datatype, shape, packed, strings } = tensor;
        const elements = datatype === 'BYTES' ? strings : emptyTarget(datatype, shape);
        if (ArrayBuffer.isView(elements)) new Uint8Array(elements.buffer).set(packed);
        const rowElements = shape.reduce((product, size) => product * size, 1);
        const columns = [{ name, datatype, rowShape: shape, rowElements, data: elements }];
        const whole = { id, modelName: '', modelVersion: '', batched: false, rowStart: 0, rows: 1 };
        const { jsonBytes, bytes } = encoded({ ...whole, columns, options: allBinary });
        // An answer with "inputs" instead of "outputs" is a request; the word is a letter shorter.
        const text = bytes.subarray(0, jsonBytes).toString().replace('"outputs"', '"inputs" ');
        const body = Buffer.concat([Buffer.from(text), bytes.subarray(jsonBytes)]);
        const decoded = decodeOipBinary(body, noModel, Buffer.byteLength(text));
        if (!decoded.ok) throw new Error(decoded.message);
        const input = decoded.value.inputs[0]!;
        expect(input).toMatchObject({ name, datatype, shape });
        if (datatype === 'BYTES') {
          expect(readStrings(input)).toEqual({ ok: true, value: strings });
        } else {
          const target = emptyTarget(datatype, shape);
          expect(writeElements(input, target)).toBeUndefined();
          expect(bytesOf(target)).toEqual([...packed]);
          expect(bytes.length - (jsonBytes ?? 0)).toBe(rowElements * elementBytes(datatype));
        }
      }),
    );
  });
});
