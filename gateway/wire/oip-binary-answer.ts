/**
 * Answers of the Open Inference Protocol in which outputs stand as bytes behind the JSON (binary tensor data
 * extension), and the choice between such an answer and a plain one.
 * Invariant: the JSON is filled up with spaces to a multiple of 8 bytes, so that the first tensor can be read in place.
 */
import { elementBytes, type NumericArray } from '../../runtime/tensor/dtype.ts';
import type { ByteWriter } from './byte-writer.ts';
import { withClasses } from './classification.ts';
import { writeFlat } from './element-text.ts';
import type { InferReply, OutputColumn } from './infer-request.ts';
import { encodeOipJson } from './oip-json-answer.ts';
import { formOf } from './request-options.ts';

const space = 0x20;
/** Of the widest element. */
const alignBytes = 8;

/**
 * Writes an infer response as the request wants it: how many bytes of it are JSON when at least one output is binary,
 * undefined when it is JSON altogether.
 */
export function encodeOip(reply: InferReply, writer: ByteWriter): number | undefined {
  const { options, columns } = reply;
  if (options === undefined || !columns.some((_, index) => formOf(options, index).binary)) {
    encodeOipJson(reply, writer);
    return undefined;
  }
  return encodeBinary(withClasses(reply), writer, (index) => formOf(options, index).binary);
}

function encodeBinary(reply: InferReply, writer: ByteWriter, isBinary: (index: number) => boolean): number {
  const start = writer.length;
  writer.ascii('{"model_name":');
  writer.jsonString(reply.modelName);
  writer.ascii(',"model_version":');
  writer.jsonString(reply.modelVersion);
  if (reply.id !== undefined) {
    writer.ascii(',"id":');
    writer.jsonString(String(reply.id));
  }
  writer.ascii(',"outputs":[');
  for (const [index, column] of reply.columns.entries()) {
    if (index > 0) writer.ascii(',');
    writeHead(reply, column, writer);
    const { start: first, count } = elementsOf(reply, column);
    if (isBinary(index)) {
      writer.ascii(`"parameters":{"binary_data_size":${dataBytes(column, first, count)}}}`);
    } else {
      writer.ascii('"data":');
      writeFlat(writer, column, { start: first, count });
      writer.ascii('}');
    }
  }
  writer.ascii(']}');
  while ((writer.length - start) % alignBytes !== 0) writer.u8(space);
  const jsonBytes = writer.length - start;
  for (const [index, column] of reply.columns.entries()) {
    if (isBinary(index)) writeData(reply, column, writer);
  }
  return jsonBytes;
}

/** `{"name":"y","shape":[1,3],"datatype":"FP32",` */
function writeHead(reply: InferReply, { name, datatype, rowShape }: OutputColumn, writer: ByteWriter): void {
  const shape = reply.batched ? [reply.rows, ...rowShape] : rowShape;
  writer.ascii('{"name":');
  writer.jsonString(name);
  writer.ascii(`,"shape":[${shape.join()}],"datatype":"${datatype}",`);
}

function elementsOf(
  reply: InferReply,
  { rowElements }: OutputColumn,
): { readonly start: number; readonly count: number } {
  return { start: reply.rowStart * rowElements, count: (reply.batched ? reply.rows : 1) * rowElements };
}

function dataBytes({ datatype, data }: OutputColumn, start: number, count: number): number {
  if (isNumeric(data)) return count * elementBytes(datatype);
  let bytes = 0;
  for (let index = start; index < start + count; index++) bytes += 4 + Buffer.byteLength(data[index] ?? '');
  return bytes;
}

function writeData(reply: InferReply, column: OutputColumn, writer: ByteWriter): void {
  const { data, datatype } = column;
  const { start, count } = elementsOf(reply, column);
  if (isNumeric(data)) {
    const size = elementBytes(datatype);
    writer.raw(new Uint8Array(data.buffer, data.byteOffset + start * size, count * size));
    return;
  }
  for (let index = start; index < start + count; index++) {
    const text = data[index] ?? '';
    writer.u32le(Buffer.byteLength(text));
    writer.utf8(text);
  }
}

function isNumeric(data: OutputColumn['data']): data is NumericArray {
  return ArrayBuffer.isView(data);
}
