/**
 * The table of element types against the two sources it must agree with: the sizes and names of the Open Inference
 * Protocol, written out here, and onnxruntime's own tensors, which are asked.
 */
import { Tensor } from 'onnxruntime-web';
import { describe, expect, it } from 'vitest';
import {
  type Datatype,
  datatypeOfOnnx,
  datatypes,
  elementBytes,
  isDatatype,
  type NumericArray,
  type NumericDatatype,
  onnxTypeOf,
  typedView,
} from '../../../runtime/tensor/dtype.ts';

/** "Tensor Data Types" of the protocol, and the array that shows little-endian elements of that size. */
const numeric: readonly {
  readonly datatype: NumericDatatype;
  readonly bytes: number;
  readonly onnx: string;
  readonly array: new (length: number) => NumericArray;
}[] = [
  { datatype: 'BOOL', bytes: 1, onnx: 'bool', array: Uint8Array },
  { datatype: 'UINT8', bytes: 1, onnx: 'uint8', array: Uint8Array },
  { datatype: 'UINT16', bytes: 2, onnx: 'uint16', array: Uint16Array },
  { datatype: 'UINT32', bytes: 4, onnx: 'uint32', array: Uint32Array },
  { datatype: 'UINT64', bytes: 8, onnx: 'uint64', array: BigUint64Array },
  { datatype: 'INT8', bytes: 1, onnx: 'int8', array: Int8Array },
  { datatype: 'INT16', bytes: 2, onnx: 'int16', array: Int16Array },
  { datatype: 'INT32', bytes: 4, onnx: 'int32', array: Int32Array },
  { datatype: 'INT64', bytes: 8, onnx: 'int64', array: BigInt64Array },
  { datatype: 'FP16', bytes: 2, onnx: 'float16', array: Uint16Array },
  { datatype: 'FP32', bytes: 4, onnx: 'float32', array: Float32Array },
  { datatype: 'FP64', bytes: 8, onnx: 'float64', array: Float64Array },
];

describe('the table of element types', () => {
  it('has every numeric type of the protocol, and BYTES', () => {
    expect(new Set(datatypes)).toEqual(new Set<Datatype>([...numeric.map((row) => row.datatype), 'BYTES']));
  });

  it.each(numeric)(
    'says of $datatype what the protocol says',
    ({ datatype, bytes, onnx, array: Elements }) => {
      const view = typedView(datatype, {
        buffer: new ArrayBuffer(8 * bytes),
        byteOffset: 0,
        elementCount: 8,
      });
      expect(elementBytes(datatype)).toBe(bytes);
      expect(view.BYTES_PER_ELEMENT).toBe(bytes);
      expect(view).toBeInstanceOf(Elements);
      expect([onnxTypeOf(datatype), datatypeOfOnnx(onnx)]).toEqual([onnx, datatype]);
    },
  );

  it('knows BYTES as strings without a size', () => {
    expect([elementBytes('BYTES'), onnxTypeOf('BYTES'), datatypeOfOnnx('string')]).toEqual([
      0,
      'string',
      'BYTES',
    ]);
  });

  it.each([
    'int4',
    'uint4',
    'complex64',
    'bfloat16',
    'FP32',
    'float',
    'undefined',
    '',
    'toString',
    '__proto__',
  ])('has no protocol name for the onnxruntime type "%s"', (name) => {
    expect(datatypeOfOnnx(name)).toBeUndefined();
  });

  it.each(['fp32', 'FP8', 'float32', 'STRING', '', 'toString', 'constructor', '__proto__'])(
    'does not take "%s" for a datatype',
    (name) => {
      expect(isDatatype(name)).toBe(false);
    },
  );

  it.each(datatypes)('takes %s for a datatype', (name) => {
    expect(isDatatype(name)).toBe(true);
  });
});

describe('onnxruntime', () => {
  it.each(numeric)('takes an array of $datatype as a tensor of the type we name, without a copy', (row) => {
    const { datatype, bytes } = row;
    const data = typedView(datatype, { buffer: new ArrayBuffer(6 * bytes), byteOffset: 0, elementCount: 6 });
    const tensor = new Tensor(onnxTypeOf(datatype), data, [2, 3]);
    expect([tensor.type, tensor.size]).toEqual([row.onnx, 6]);
    expect((tensor.data as NumericArray).buffer).toBe(data.buffer);
  });

  it('takes strings as a tensor of the type we name', () => {
    const tensor = new Tensor(onnxTypeOf('BYTES'), ['a', ''], [2]);
    expect([tensor.type, tensor.data]).toEqual(['string', ['a', '']]);
  });
});

describe('a typed view', () => {
  it.each(numeric)(
    'of $datatype aliases the memory at its place and copies nothing',
    ({ datatype, bytes }) => {
      const buffer = new SharedArrayBuffer(256);
      const view = typedView(datatype, { buffer, byteOffset: 64, elementCount: 3 });
      expect(view.buffer).toBe(buffer);
      expect([view.byteOffset, view.length, view.byteLength]).toEqual([64, 3, 3 * bytes]);
      new Uint8Array(buffer, 64, bytes).fill(0xff);
      expect(Number(view[0])).not.toBe(0);
      expect(Number(view[1])).toBe(0);
    },
  );

  it('reads elements in little-endian order', () => {
    const { buffer } = Uint8Array.of(0x01, 0x02, 0, 0, 0, 0, 0x80, 0x3f);
    expect(typedView('UINT32', { buffer, byteOffset: 0, elementCount: 1 })[0]).toBe(0x0201);
    expect(typedView('FP32', { buffer, byteOffset: 4, elementCount: 1 })[0]).toBe(1);
  });

  it.each([
    { what: 'an address that is not a multiple of the element size', byteOffset: 2, elementCount: 1 },
    { what: 'elements behind the end', byteOffset: 12, elementCount: 2 },
    { what: 'a place behind the end', byteOffset: 20, elementCount: 1 },
  ])('throws for $what', ({ byteOffset, elementCount }) => {
    const place = { buffer: new ArrayBuffer(16), byteOffset, elementCount };
    expect(() => typedView('FP32', place)).toThrow(RangeError);
  });

  it('throws for a datatype without a fixed size, should the types be circumvented', () => {
    const place = { buffer: new ArrayBuffer(16), byteOffset: 0, elementCount: 1 };
    expect(() => typedView('BYTES' as NumericDatatype, place)).toThrow('no fixed element size');
  });
});
