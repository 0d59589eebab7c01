/**
 * The Open Inference Protocol in msgpack over HTTP (`Content-Type: application/msgpack`): the maps of its JSON form,
 * with the elements of a tensor as `bin`, little-endian and packed, or as an array of values.
 * It reads and writes bytes only; whether a request fits a model is decided in admission/check-request.ts.
 * Invariant: a decoded request points into the body it came from and is valid as long as that is.
 */
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import type { ByteWriter } from './byte-writer.ts';
import { withClasses } from './classification.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferReply, InferRequest, OutputColumn } from './infer-request.ts';
import { MsgpackCursor } from './msgpack-cursor.ts';
import { readRequestFields } from './msgpack-request.ts';
import {
  writeArrayHeader,
  writeBinary,
  writeKey,
  writeMapHeader,
  writeText,
  writeWhole,
} from './msgpack-writer.ts';

/**
 * `{id?, inputs: [{name, shape, datatype, data}], outputs?: [{name}]}`; other keys are ignored.
 * Codes: EMPTY_BODY, MALFORMED_MSGPACK, INVALID_REQUEST, BODY_TOO_LARGE (an array of values beyond what is built).
 */
export function decodeOipMsgpack(body: Uint8Array): Result<InferRequest> {
  if (body.length === 0) return fail('EMPTY_BODY', 'The body is empty; send a msgpack map.');
  const cursor = new MsgpackCursor(body);
  const fields = readRequestFields(cursor, false);
  if (fields === null) return cursor.failure();
  const { id, inputs, outputs } = fields;
  if (inputs === null) return fail('INVALID_REQUEST', 'The field inputs is missing.');
  const options = fields.options?.finish(outputs?.length ?? 0);
  return succeed({ id: id ?? undefined, inputs, outputs: outputs ?? undefined, options });
}

/** `{model_name, model_version, id?, outputs: [{name, shape, datatype, data}]}`. BYTES are an array of strings. */
export function encodeOipMsgpack(reply: InferReply, writer: ByteWriter): void {
  writeMapHeader(writer, reply.id === undefined ? 3 : 4);
  if (reply.id !== undefined) writeId(reply.id, writer);
  writeReplyFields(reply, writer);
}

export function encodeMsgpackError(error: WireError, writer: ByteWriter): void {
  writeMapHeader(writer, 2);
  writeErrorFields(error, writer);
}

/** The pair `id`, a string or a number as it was sent. */
export function writeId(id: string | number, writer: ByteWriter): void {
  writeKey(writer, 'id');
  if (typeof id === 'string') writeText(writer, id);
  else writeWhole(writer, id);
}

/** The pairs `error` and `code`. */
export function writeErrorFields(error: WireError, writer: ByteWriter): void {
  writeKey(writer, 'error');
  writeText(writer, error.message);
  writeKey(writer, 'code');
  writeText(writer, error.code);
}

/** The pairs `model_name`, `model_version` and `outputs`. */
export function writeReplyFields(answer: InferReply, writer: ByteWriter): void {
  const reply = answer.options === undefined ? answer : withClasses(answer);
  writeKey(writer, 'model_name');
  writeText(writer, reply.modelName);
  writeKey(writer, 'model_version');
  writeText(writer, reply.modelVersion);
  writeKey(writer, 'outputs');
  writeArrayHeader(writer, reply.columns.length);
  for (const column of reply.columns) {
    writeMapHeader(writer, 4);
    writeKey(writer, 'name');
    writeText(writer, column.name);
    writeShape(reply, column, writer);
    writeKey(writer, 'datatype');
    writeText(writer, column.datatype);
    writeData(reply, column, writer);
  }
}

function writeShape(reply: InferReply, column: OutputColumn, writer: ByteWriter): void {
  writeKey(writer, 'shape');
  writeArrayHeader(writer, column.rowShape.length + (reply.batched ? 1 : 0));
  if (reply.batched) writeWhole(writer, reply.rows);
  for (const size of column.rowShape) writeWhole(writer, size);
}

function writeData(reply: InferReply, column: OutputColumn, writer: ByteWriter): void {
  const { data, rowElements } = column;
  const first = reply.batched ? reply.rowStart * rowElements : 0;
  const count = reply.batched ? reply.rows * rowElements : rowElements;
  writeKey(writer, 'data');
  if (ArrayBuffer.isView(data)) {
    const size = elementBytes(column.datatype);
    writeBinary(writer, new Uint8Array(data.buffer, data.byteOffset + first * size, count * size));
  } else {
    writeArrayHeader(writer, count);
    for (let index = first; index < first + count; index++) writeText(writer, data[index] ?? '');
  }
}
