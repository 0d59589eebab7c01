/**
 * The binary frames of the WebSocket protocol `tidegate.v1`, as a client sends them: one msgpack map each. A request says
 * which model it is for, since one socket serves all of them; otherwise it is the HTTP message (oip-msgpack.ts). A map
 * with `op` asks for something else. Text frames are the same in JSON (stream-text.ts).
 * It knows no socket, no order and no limits on what is in flight.
 * Invariant: whenever the id of a broken frame can be read, the error carries it, so that the caller who waits for
 * that answer gets one.
 */
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferRequest } from './infer-request.ts';
import { MsgpackCursor } from './msgpack-cursor.ts';
import { readId, readRequestFields, type RequestFields } from './msgpack-request.ts';
import { quoted } from './strict-text.ts';

export type FrameId = string | number;

export interface StreamRequest {
  readonly kind: 'request';
  /** Echoed in the answer with the type it came in. Unique among what is in flight on one socket. */
  readonly id: FrameId;
  readonly model: string;
  /** Undefined lets the routing rules choose. */
  readonly version: string | undefined;
  /** What rollouts divide by; undefined or empty leaves that to the handshake. */
  readonly routingKey: string | undefined;
  /** Points into the frame: valid as long as that is. Its `id` is the frame's. */
  readonly request: InferRequest;
}

/** What a frame with `op` asks for. */
export type StreamOperation =
  | { readonly kind: 'cancel'; readonly id: FrameId }
  | { readonly kind: 'ping'; readonly id: FrameId | undefined };

export type ClientFrame = StreamRequest | StreamOperation;

/** `id` is missing when the frame has none that can be read. */
export interface FrameError extends WireError {
  readonly id?: FrameId;
}

export type DecodedFrame = { readonly ok: true; readonly value: ClientFrame } | FrameError;

/**
 * `{id, model, version?, routing_key?, inputs: [{name, shape, datatype, data}], outputs?: [{name}], deadline_ms?,
 * priority?, parameters?}` or `{op, id?}`; other keys are ignored, which leaves room for later ones.
 * Codes: EMPTY_BODY, MALFORMED_MSGPACK, INVALID_REQUEST, UNSUPPORTED_PARAMETER, BODY_TOO_LARGE.
 */
export function decodeStreamFrame(bytes: Uint8Array): DecodedFrame {
  if (bytes.length === 0) return emptyFrame;
  const cursor = new MsgpackCursor(bytes);
  const fields = readRequestFields(cursor, true);
  const decoded = fields === null ? cursor.failure() : toFrame(fields);
  if (decoded.ok) return decoded;
  const id = salvageId(bytes);
  return id === null ? decoded : { ...decoded, id };
}

export const emptyFrame: WireError = fail('EMPTY_BODY', 'The frame is empty; send one map in it.');

/** The operation that `op` names; any other is an error, so that a client of a later version hears of it. */
export function operationOf(op: string, id: FrameId | undefined): Result<StreamOperation> {
  switch (op) {
    case 'cancel':
      return id === undefined ? missing('id') : succeed({ kind: 'cancel', id });
    case 'ping':
      return succeed({ kind: 'ping', id });
    default:
      return fail('INVALID_REQUEST', `There is no op ${quoted(op)}; clients send cancel and ping.`);
  }
}

export function missing(field: string): WireError {
  return fail('INVALID_REQUEST', `The field ${field} is missing.`);
}

function toFrame(fields: RequestFields): Result<ClientFrame> {
  const { op, id, model, version, routingKey, inputs, outputs } = fields;
  if (op !== null) return operationOf(op, id ?? undefined);
  if (id === null) return missing('id');
  if (model === null) return missing('model');
  if (inputs === null) return missing('inputs');
  const options = fields.options?.finish(outputs?.length ?? 0);
  const request = { id, inputs, outputs: outputs ?? undefined, options };
  return succeed({
    kind: 'request',
    id,
    model,
    version: version ?? undefined,
    routingKey: routingKey ?? undefined,
    request,
  });
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
