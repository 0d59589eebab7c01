/**
 * The frames of the WebSocket `/v2/stream`: one msgpack message each, answered by id and in any order. A frame says
 * which model it is for, since one socket serves all of them; otherwise it is the HTTP message (oip-msgpack.ts).
 * It knows no socket, no order and no limits on what is in flight.
 * Invariant: whenever the id of a broken frame can be read, the error carries it, so that the caller who waits for
 * that answer gets one.
 */
import type { ByteWriter } from './byte-writer.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferReply, InferRequest } from './infer-request.ts';
import { MsgpackCursor } from './msgpack-cursor.ts';
import { readId, readRequestFields, type RequestFields } from './msgpack-request.ts';
import { writeKey, writeMapHeader, writeNil } from './msgpack-writer.ts';
import { writeErrorFields, writeId, writeReplyFields } from './oip-msgpack.ts';

export type FrameId = string | number;

export interface StreamRequest {
  /** Echoed in the answer with the type it came in. Unique among what is in flight on one socket. */
  readonly id: FrameId;
  readonly model: string;
  /** Undefined lets the routing rules choose. */
  readonly version: string | undefined;
  /** Points into the frame: valid as long as that is. Its `id` is the frame's. */
  readonly request: InferRequest;
}

/** `id` is missing when the frame has none that can be read. */
export interface FrameError extends WireError {
  readonly id?: FrameId;
}

/**
 * `{id, model, version?, inputs: [{name, shape, datatype, data}], outputs?: [{name}]}`; other keys are ignored, which
 * leaves room for later ones. Codes: EMPTY_BODY, MALFORMED_MSGPACK, INVALID_REQUEST, BODY_TOO_LARGE.
 */
export function decodeStreamFrame(
  bytes: Uint8Array,
): { readonly ok: true; readonly value: StreamRequest } | FrameError {
  if (bytes.length === 0) return fail('EMPTY_BODY', 'The frame is empty; send a msgpack map.');
  const cursor = new MsgpackCursor(bytes);
  const fields = readRequestFields(cursor, true);
  const decoded = fields === null ? cursor.failure() : toStreamRequest(fields);
  if (decoded.ok) return decoded;
  const id = salvageId(bytes);
  return id === null ? decoded : { ...decoded, id };
}

/** `{id, model_name, model_version, outputs: [{name, shape, datatype, data}]}`. */
export function encodeStreamReply(reply: InferReply, writer: ByteWriter): void {
  writeMapHeader(writer, 4);
  writeIdOrNil(reply.id, writer);
  writeReplyFields(reply, writer);
}

/** `{id, error, code}`; the id is nil when the frame had none that could be read. */
export function encodeStreamError(error: FrameError, writer: ByteWriter): void {
  writeMapHeader(writer, 3);
  writeIdOrNil(error.id, writer);
  writeErrorFields(error, writer);
}

function toStreamRequest(fields: RequestFields): Result<StreamRequest> {
  const { id, model, version, inputs, outputs } = fields;
  if (id === null) return missing('id');
  if (model === null) return missing('model');
  if (inputs === null) return missing('inputs');
  const request = { id, inputs, outputs: outputs ?? undefined };
  return succeed({ id, model, version: version ?? undefined, request });
}

function missing(field: string): WireError {
  return fail('INVALID_REQUEST', `The field ${field} is missing.`);
}

function writeIdOrNil(id: FrameId | undefined, writer: ByteWriter): void {
  if (id !== undefined) {
    writeId(id, writer);
  } else {
    writeKey(writer, 'id');
    writeNil(writer);
  }
}

/** Looks for the id alone, as far as the frame can be walked. The first one counts, as it does for the decoder. */
function salvageId(bytes: Uint8Array): FrameId | null {
  const cursor = new MsgpackCursor(bytes);
  const pairs = cursor.map('the message') ?? 0;
  for (let pair = 0; pair < pairs; pair++) {
    const key = cursor.word('a key');
    if (key === null) return null;
    if (key === 'id' && !cursor.nil()) return readId(cursor);
    if (key !== 'id' && !cursor.skip()) return null;
  }
  return null;
}
