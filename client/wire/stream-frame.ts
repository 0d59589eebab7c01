/**
 * The frames of the WebSocket protocol `tidegate.v1` (docs/protocol.md, "WebSocket"): what the client writes and what
 * it reads. It knows no socket and no order.
 */
import type { InferResult } from '../infer-result.ts';
import { asTidegateError, TidegateError } from '../tidegate-error.ts';
import { parseJsonObject } from './json-message.ts';
import {
  isMap,
  resultOfMsgpack,
  textOr,
  writeParameters,
  writerFor,
  writeTensors,
} from './msgpack-message.ts';
import { type MsgpackMap, type MsgpackValue, readMsgpack } from './msgpack-reader.ts';
import { MsgpackWriter } from './msgpack-writer.ts';
import { packedInputs, type RequestFields, wireDeadlineMs } from './request-fields.ts';

export const subprotocol = 'tidegate.v1';

/** What the gateway says about itself when a socket opens. */
export interface Hello {
  readonly server: { readonly name: string; readonly version: string };
  /** Undefined where the gateway names no limit. */
  readonly inflightMax: number | undefined;
  readonly frameBytesMax: number | undefined;
  readonly requestRowsMax: number | undefined;
}

export type ServerFrame =
  | { readonly kind: 'answer'; readonly id: number; readonly result: InferResult }
  /** `id` is undefined when the gateway could not read one, or it is none of ours. */
  | { readonly kind: 'error'; readonly id: number | undefined; readonly error: TidegateError }
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'flow'; readonly paused: boolean }
  | { readonly kind: 'goaway'; readonly graceMs: number }
  | { readonly kind: 'pong' }
  /** Of a later version of the protocol; to be ignored. */
  | { readonly kind: 'unknown'; readonly op: string };

/** Ids are whole numbers, unique among those in flight on one socket. */
export function encodeRequest(id: number, fields: RequestFields): Uint8Array<ArrayBuffer> {
  const { model, version, outputs, priority, parameters } = fields;
  const inputs = packedInputs(fields);
  const deadlineMs = wireDeadlineMs(fields.remainingMs);
  const hasParameters = Object.keys(parameters).length > 0;
  const optional = [version !== undefined, outputs.length > 0, deadlineMs !== undefined];
  const pairs = 3 + [...optional, priority !== undefined, hasParameters].filter(Boolean).length;
  const writer = writerFor(inputs);
  writer.map(pairs);
  writer.text('id');
  writer.number(id);
  writer.text('model');
  writer.text(model);
  if (version !== undefined) {
    writer.text('version');
    writer.text(version);
  }
  if (deadlineMs !== undefined) {
    writer.text('deadline_ms');
    writer.number(deadlineMs);
  }
  if (priority !== undefined) {
    writer.text('priority');
    writer.number(priority);
  }
  if (hasParameters) writeParameters(parameters, writer);
  writeTensors(inputs, outputs, writer);
  return writer.finish();
}

export function encodeCancel(id: number): Uint8Array<ArrayBuffer> {
  return encodeOperation('cancel', id);
}

export function encodePing(id: number): Uint8Array<ArrayBuffer> {
  return encodeOperation('ping', id);
}

/** Throws INVALID_RESPONSE when the bytes are no frame, so that nobody can tell whom they were for. */
export function decodeServerFrame(bytes: Uint8Array): ServerFrame {
  const message = readMsgpack(bytes);
  if (!isMap(message)) throw new TidegateError('INVALID_RESPONSE', 'A frame of the gateway is no map.');
  const op = message.get('op');
  if (typeof op === 'string') return decodeOperation(op, message);
  const id = message.get('id');
  const known = typeof id === 'number' ? id : undefined;
  if (message.has('error')) return { kind: 'error', id: known, error: errorOf(message) };
  if (known === undefined) throw new TidegateError('INVALID_RESPONSE', 'An answer of the gateway has no id.');
  try {
    return { kind: 'answer', id: known, result: resultOfMsgpack(message) };
  } catch (thrown) {
    // The id could be read: only this call suffers.
    const error = asTidegateError(thrown, 'INVALID_RESPONSE', 'The answer could not be read');
    return { kind: 'error', id: known, error };
  }
}

/**
 * A text frame. Answers come in the form of the question and we ask in binary, so only what the gateway says unasked may
 * be text. Throws INVALID_RESPONSE.
 */
export function decodeServerText(text: string): ServerFrame {
  const message = parseJsonObject(text);
  const { op } = message;
  if (typeof op !== 'string') throw new TidegateError('INVALID_RESPONSE', 'A text frame is no operation.');
  const scalars = Object.entries(message).flatMap(([name, value]): [string, MsgpackValue][] =>
    typeof value === 'number' || typeof value === 'boolean' ? [[name, value]] : [],
  );
  return decodeOperation(op, new Map(scalars));
}

function decodeOperation(op: string, message: MsgpackMap): ServerFrame {
  switch (op) {
    case 'hello':
      return { kind: 'hello', hello: helloOf(message) };
    case 'flow':
      return { kind: 'flow', paused: message.get('paused') === true };
    case 'goaway':
      return { kind: 'goaway', graceMs: positive(message.get('grace_ms')) ?? 0 };
    case 'pong':
      return { kind: 'pong' };
    default:
      return { kind: 'unknown', op };
  }
}

function helloOf(message: MsgpackMap): Hello {
  const server = message.get('server');
  const limits = message.get('limits');
  const limit = (name: string): number | undefined =>
    isMap(limits) ? positive(limits.get(name)) : undefined;
  return {
    server: {
      name: isMap(server) ? textOr(server.get('name'), '') : '',
      version: isMap(server) ? textOr(server.get('version'), '') : '',
    },
    inflightMax: limit('inflight_max'),
    frameBytesMax: limit('frame_bytes_max'),
    requestRowsMax: limit('request_rows_max'),
  };
}

/** `{error, code, retry_after_ms?}`, also the body of an HTTP error in msgpack. */
export function errorOf(message: MsgpackMap, status?: number): TidegateError {
  return new TidegateError(
    textOr(message.get('code'), status === undefined ? 'INVALID_RESPONSE' : 'HTTP_ERROR'),
    textOr(message.get('error'), 'The gateway gives no reason.'),
    { status, retryAfterMs: positive(message.get('retry_after_ms')) },
  );
}

function positive(value: MsgpackValue | undefined): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function encodeOperation(op: string, id: number): Uint8Array<ArrayBuffer> {
  const writer = new MsgpackWriter(32);
  writer.map(2);
  writer.text('op');
  writer.text(op);
  writer.text('id');
  writer.number(id);
  return writer.finish();
}
