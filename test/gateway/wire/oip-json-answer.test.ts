/** Answers in the JSON of the Open Inference Protocol: exact text, and values that read back unchanged. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../gateway/wire/byte-writer.ts';
import type { InferReply, OutputColumn } from '../../../gateway/wire/infer-request.ts';
import { writeJsonElements } from '../../../gateway/wire/json-elements.ts';
import { decodeOipJson } from '../../../gateway/wire/oip-json.ts';
import { encodeOipJson } from '../../../gateway/wire/oip-json-answer.ts';

function encode(reply: InferReply): string {
  const writer = new ByteWriter(16);
  encodeOipJson(reply, writer);
  return Buffer.from(writer.bytes()).toString();
}

const column: OutputColumn = {
  name: 'y',
  datatype: 'FP32',
  rowShape: [2],
  rowElements: 2,
  data: Float32Array.of(0.5, 1.5, 2.5, 3.5, 4.5, 5.5),
};

const reply: InferReply = {
  id: undefined,
  modelName: 'iris',
  modelVersion: '1.0.0',
  columns: [column],
  batched: true,
  rowStart: 1,
  rows: 2,
  options: undefined,
};

describe('OIP JSON answers', () => {
  it('writes the rows of the request, flat and row-major, behind the batch dimension', () => {
    expect(encode(reply)).toBe(
      '{"model_name":"iris","model_version":"1.0.0","outputs":[' +
        '{"name":"y","shape":[2,2],"datatype":"FP32","data":[2.5,3.5,4.5,5.5]}]}',
    );
  });

  it('writes the whole shape of a model without a batch dimension', () => {
    const whole = { ...reply, batched: false, rowStart: 0, rows: 1 };
    const scalar: OutputColumn = { ...column, name: 's', rowShape: [], rowElements: 1 };
    expect(
      JSON.parse(encode({ ...whole, columns: [{ ...column, rowShape: [3, 2], rowElements: 6 }, scalar] })),
    ).toEqual({
      model_name: 'iris',
      model_version: '1.0.0',
      outputs: [
        { name: 'y', shape: [3, 2], datatype: 'FP32', data: [0.5, 1.5, 2.5, 3.5, 4.5, 5.5] },
        { name: 's', shape: [], datatype: 'FP32', data: [0.5] },
      ],
    });
  });

  it('owes nothing to the answer before, however alike', () => {
    const whole = { ...reply, batched: false, rowStart: 0, rows: 1 };
    const others: readonly InferReply[] = [
      reply,
      { ...reply, modelName: 'wine' },
      { ...reply, modelVersion: '2.0.0' },
      { ...reply, columns: [{ ...column, name: 'z' }] },
      { ...reply, columns: [{ ...column, rowShape: [1, 2] }] },
      { ...reply, columns: [column, { ...column, name: 'z' }] },
      { ...reply, columns: [{ ...column, name: 'z' }, column] },
      { ...reply, columns: [{ ...column, rowShape: [], rowElements: 1 }] },
      { ...reply, columns: [] },
      whole,
    ];
    const expected = (of: InferReply): unknown => ({
      model_name: of.modelName,
      model_version: of.modelVersion,
      outputs: of.columns.map(({ name, datatype, rowShape }) => ({
        name,
        datatype,
        shape: of.batched ? [of.rows, ...rowShape] : rowShape,
      })),
    });
    for (const before of others) {
      for (const after of others) {
        encode(before);
        expect(JSON.parse(encode(after))).toMatchObject(expected(after) as object);
      }
    }
  });

  it('echoes the id only if there was one, and escapes every name', () => {
    const odd = {
      ...reply,
      id: '"1"\n',
      modelName: 'a"b',
      modelVersion: 'é\\',
      columns: [{ ...column, name: '😀\u0000' }],
    };
    expect(JSON.parse(encode(odd))).toMatchObject({
      id: '"1"\n',
      model_name: 'a"b',
      model_version: 'é\\',
      outputs: [{ name: '😀\u0000' }],
    });
    expect(JSON.parse(encode({ ...reply, id: '' }))).toHaveProperty('id', '');
    expect(JSON.parse(encode(reply))).not.toHaveProperty('id');
  });

  it.each([
    ['BOOL', Uint8Array.of(0, 1), '[false,true]'],
    ['UINT8', Uint8Array.of(0, 255), '[0,255]'],
    ['UINT16', Uint16Array.of(65535), '[65535]'],
    ['UINT32', Uint32Array.of(4294967295), '[4294967295]'],
    ['INT8', Int8Array.of(-128), '[-128]'],
    ['INT16', Int16Array.of(-32768), '[-32768]'],
    ['INT32', Int32Array.of(-2147483648), '[-2147483648]'],
    [
      'INT64',
      BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n, 7n),
      '[-9223372036854775808,9007199254740993,7]',
    ],
    ['UINT64', BigUint64Array.of(2n ** 64n - 1n), '[18446744073709551615]'],
    ['FP16', Uint16Array.of(0x3555, 0xfc00), '[0.3333,"-Infinity"]'],
    ['FP32', Float32Array.of(0.1, NaN, -0, Infinity), '[0.1,"NaN",-0,"Infinity"]'],
    ['FP64', Float64Array.of(0.1, 1e-7, 5e-324, NaN), '[0.1,1e-7,5e-324,"NaN"]'],
    ['BYTES', ['a"b', 'é'], '["a\\"b","é"]'],
  ] as const)('writes %s elements', (datatype, data, text) => {
    const columns = [{ ...column, datatype, data, rowShape: [], rowElements: 1 }];
    expect(encode({ ...reply, columns, rowStart: 0, rows: data.length })).toContain(`"data":${text}}`);
  });

  it('writes nothing for zero rows or zero-size dimensions', () => {
    expect(encode({ ...reply, rows: 0 })).toContain('"shape":[0,2],"datatype":"FP32","data":[]');
    const hollow = { ...column, rowShape: [0, 3], rowElements: 0 };
    expect(encode({ ...reply, columns: [hollow] })).toContain('"shape":[2,0,3],"datatype":"FP32","data":[]');
    expect(encode({ ...reply, columns: [] })).toContain('"outputs":[]');
  });

  it('writes what reads back as the same values', () => {
    const values = fc.array(fc.float(), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(values, fc.nat(29), (all, from) => {
        const data = Float32Array.from(all);
        const rowStart = from % all.length;
        const rows = all.length - rowStart;
        const text = encode({
          ...reply,
          columns: [{ ...column, rowShape: [], rowElements: 1, data }],
          rowStart,
          rows,
        });
        const request = text.replace('"outputs"', '"inputs"');
        const decoded = decodeOipJson(Buffer.from(request));
        if (!decoded.ok) return expect.fail(decoded.message);
        const input = decoded.value.inputs[0];
        if (input?.source.kind !== 'json') return expect.fail('no span');
        const target = new Float32Array(rows);
        expect(writeJsonElements(input.source, input, target)).toBeUndefined();
        expect(target).toEqual(data.subarray(rowStart));
      }),
    );
  });
});
