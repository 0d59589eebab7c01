/**
 * What the gateway says on the WebSocket besides answers: `hello`, `pong`, `flow`, `goaway` and errors, in msgpack and in
 * JSON. The maps are the same in both.
 */
import type { ByteWriter } from './byte-writer.ts';
import { retryAfterMs } from './error-code.ts';
import { writeKey, writeMapHeader, writeNil, writeText, writeWhole } from './msgpack-writer.ts';
import { writeErrorFields, writeId } from './oip-msgpack.ts';
import type { FrameError, FrameId } from './stream-frame.ts';
import { writeIdPair } from './stream-text.ts';

/** The subprotocol, and what `hello` calls it. */
export const streamProtocol = 'tidegate.v1';

export type Encoding = 'msgpack' | 'json';

/** What a client learns when its socket opens. */
export interface Hello {
  readonly server: { readonly name: string; readonly version: string };
  readonly limits: {
    readonly inflight_max: number;
    readonly frame_bytes_max: number;
    readonly request_rows_max: number;
  };
}

/** `{op, protocol, server: {name, version}, limits: {...}}`. Always msgpack: nothing was heard of the client yet. */
export function encodeHello({ server, limits }: Hello, writer: ByteWriter): void {
  writeMapHeader(writer, 4);
  writeOp(writer, 'hello');
  writeKey(writer, 'protocol');
  writeText(writer, streamProtocol);
  writeKey(writer, 'server');
  writeMapHeader(writer, 2);
  for (const key of ['name', 'version'] as const) {
    writeKey(writer, key);
    writeText(writer, server[key]);
  }
  writeKey(writer, 'limits');
  writeMapHeader(writer, 3);
  for (const key of ['inflight_max', 'frame_bytes_max', 'request_rows_max'] as const) {
    writeKey(writer, key);
    writeWhole(writer, limits[key]);
  }
}

/** `{op: "pong", id?}`, with the id of the ping. */
export function encodePong(id: FrameId | undefined, encoding: Encoding, writer: ByteWriter): void {
  if (encoding === 'json') {
    writer.ascii('{"op":"pong"');
    if (id !== undefined) {
      writer.ascii(',"id":');
      if (typeof id === 'string') writer.jsonString(id);
      else writer.integer(id);
    }
    writer.ascii('}');
    return;
  }
  writeMapHeader(writer, id === undefined ? 1 : 2);
  writeOp(writer, 'pong');
  if (id !== undefined) writeId(id, writer);
}

/** `{op: "flow", paused}`. */
export function encodeFlow(paused: boolean, encoding: Encoding, writer: ByteWriter): void {
  if (encoding === 'json') {
    writer.ascii(paused ? '{"op":"flow","paused":true}' : '{"op":"flow","paused":false}');
    return;
  }
  writeMapHeader(writer, 2);
  writeOp(writer, 'flow');
  writeKey(writer, 'paused');
  writer.u8(paused ? 0xc3 : 0xc2);
}

/** `{op: "goaway", grace_ms}`. */
export function encodeGoaway(graceMs: number, encoding: Encoding, writer: ByteWriter): void {
  if (encoding === 'json') {
    writer.ascii('{"op":"goaway","grace_ms":');
    writer.integer(graceMs);
    writer.ascii('}');
    return;
  }
  writeMapHeader(writer, 2);
  writeOp(writer, 'goaway');
  writeKey(writer, 'grace_ms');
  writeWhole(writer, graceMs);
}

/** `{id, error, code, retry_after_ms?}`; the id is nil when the frame had none that could be read. */
export function encodeStreamError(error: FrameError, encoding: Encoding, writer: ByteWriter): void {
  const retryMs = retryAfterMs(error);
  if (encoding === 'json') {
    writeIdPair(error.id, writer);
    writer.ascii(',"error":');
    writer.jsonString(error.message);
    writer.ascii(`,"code":"${error.code}"`);
    if (retryMs !== undefined) writer.ascii(`,"retry_after_ms":${retryMs}`);
    writer.ascii('}');
    return;
  }
  writeMapHeader(writer, retryMs === undefined ? 3 : 4);
  if (error.id === undefined) {
    writeKey(writer, 'id');
    writeNil(writer);
  } else {
    writeId(error.id, writer);
  }
  writeErrorFields(error, writer);
  if (retryMs !== undefined) {
    writeKey(writer, 'retry_after_ms');
    writeWhole(writer, retryMs);
  }
}

function writeOp(writer: ByteWriter, op: string): void {
  writeKey(writer, 'op');
  writeText(writer, op);
}
