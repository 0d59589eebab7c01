/**
 * Tensors with values, for the model writer: elements in any convenient form become the file's raw bytes.
 * Raw data is little-endian whatever the machine; strings are the exception and stay a list of UTF-8 texts.
 */
import type { Datatype } from '../manifest/signature.ts';
import { elementTypeBytes, elementTypeCode } from './element-type.ts';
import type { TensorProto } from './model-proto.ts';

/** FP16 elements are bit patterns, BOOL elements 0 or 1, both as numbers. BYTES takes strings. */
export type Elements = Iterable<number> | Iterable<bigint> | Iterable<string>;

/** Throws when the number of elements is not the product of the shape: that file would not load anywhere. */
export function tensor(datatype: Datatype, shape: readonly number[], elements: Elements): TensorProto {
  const values: readonly (number | bigint | string)[] = [...elements];
  const expected = shape.reduce((product, size) => product * size, 1);
  if (values.length !== expected) {
    throw new RangeError(`shape [${shape.join(', ')}] has ${expected} elements, not ${values.length}`);
  }
  const typed = { dims: BigInt64Array.from(shape, BigInt), dataType: elementTypeCode(datatype) };
  if (datatype === 'BYTES') {
    const utf8 = new TextEncoder();
    return { ...typed, stringData: values.map((value) => utf8.encode(String(value))) };
  }
  const size = elementTypeBytes(datatype);
  const view = new DataView(new ArrayBuffer(values.length * size));
  values.forEach((value, index) => {
    putElement[datatype](view, index * size, value);
  });
  return { ...typed, rawData: new Uint8Array(view.buffer) };
}

type PutElement = (view: DataView, offset: number, value: number | bigint | string) => void;

const putElement: Readonly<Record<Exclude<Datatype, 'BYTES'>, PutElement>> = {
  BOOL: (view, offset, value) => {
    view.setUint8(offset, Number(value) === 0 ? 0 : 1);
  },
  UINT8: (view, offset, value) => {
    view.setUint8(offset, Number(value));
  },
  UINT16: (view, offset, value) => {
    view.setUint16(offset, Number(value), true);
  },
  UINT32: (view, offset, value) => {
    view.setUint32(offset, Number(value), true);
  },
  UINT64: (view, offset, value) => {
    view.setBigUint64(offset, BigInt(value), true);
  },
  INT8: (view, offset, value) => {
    view.setInt8(offset, Number(value));
  },
  INT16: (view, offset, value) => {
    view.setInt16(offset, Number(value), true);
  },
  INT32: (view, offset, value) => {
    view.setInt32(offset, Number(value), true);
  },
  INT64: (view, offset, value) => {
    view.setBigInt64(offset, BigInt(value), true);
  },
  FP16: (view, offset, value) => {
    view.setUint16(offset, Number(value), true);
  },
  FP32: (view, offset, value) => {
    view.setFloat32(offset, Number(value), true);
  },
  FP64: (view, offset, value) => {
    view.setFloat64(offset, Number(value), true);
  },
};
