/**
 * One WebSocket on `/v2/stream`: many requests in flight, answered by id and in any order. It bounds what one client
 * may have in flight, and sends the answers of one batch in one system call.
 */
import type { WebSocket } from 'uWebSockets.js';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { PendingRequest, ReplySink } from '../dispatch/request-queue.ts';
import type { RequestDoor } from '../dispatch/request-door.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { fail, type WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import {
  decodeStreamFrame,
  encodeStreamError,
  encodeStreamReply,
  type FrameError,
  type FrameId,
} from '../wire/stream-frame.ts';

export interface StreamServices {
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly connectionInflightMax: number;
}

const binaryOnly = JSON.stringify({
  error: 'This socket takes binary frames, each one msgpack map. See docs/protocol.md.',
  code: 'UNSUPPORTED_MEDIA_TYPE',
});

export class StreamConnection {
  readonly #services: StreamServices;
  readonly #writer: ByteWriter = new ByteWriter(1024);
  /** The whole frames in the writer; what was begun and could not be ended is not among them. */
  readonly #frames: { readonly start: number; readonly end: number }[] = [];
  readonly #inflight = new Map<FrameId, StreamCall>();
  #socket: WebSocket<unknown> | undefined;

  constructor(services: StreamServices) {
    this.#services = services;
  }

  opened(socket: WebSocket<unknown>): void {
    this.#socket = socket;
  }

  /** The client is gone: what it waited for is dropped where that is still possible. */
  closed(): void {
    this.#socket = undefined;
    for (const call of this.#inflight.values()) {
      if (call.pending !== undefined) this.#services.dispatcher.abandon(call.pending);
    }
    this.#inflight.clear();
  }

  /** One frame. `frame` may be reused by the library once this returns. */
  received(frame: ArrayBuffer, isBinary: boolean): void {
    const { door } = this.#services;
    if (!isBinary) {
      this.#socket?.send(binaryOnly, false);
      door.refuse('stream-msgpack', fail('UNSUPPORTED_MEDIA_TYPE', 'text frame'));
      return;
    }
    const decoded = this.#decodeSafely(new Uint8Array(frame));
    if (!decoded.ok) {
      door.refuse('stream-msgpack', decoded);
      this.#sendError(decoded);
      return;
    }
    const { id, model, version, request } = decoded.value;
    const refusal = this.#refusal(id);
    if (refusal !== undefined) {
      door.refuse('stream-msgpack', refusal);
      this.#sendError({ ...refusal, id });
      return;
    }
    const call = new StreamCall(this, id);
    const outcome = door.accept({
      protocol: 'stream-msgpack',
      modelName: model,
      modelVersion: version,
      decode: () => ({ ok: true, value: request }),
      sink: call,
    });
    if ('code' in outcome) {
      this.#sendError({ ...outcome, id });
      return;
    }
    call.pending = outcome;
    this.#inflight.set(id, call);
  }

  /** A fault of the decoder is ours, and must cost neither the socket nor the process. */
  #decodeSafely(frame: Uint8Array): ReturnType<typeof decodeStreamFrame> {
    try {
      return decodeStreamFrame(frame);
    } catch (fault) {
      return this.#services.dispatcher.reportFault(fault);
    }
  }

  answered(id: FrameId, reply: InferReply): void {
    this.#inflight.delete(id);
    const start = this.#writer.length;
    encodeStreamReply(reply, this.#writer);
    this.#endFrame(start);
  }

  failed(id: FrameId, error: WireError): void {
    this.#inflight.delete(id);
    this.#sendError({ ...error, id });
  }

  #refusal(id: FrameId): WireError | undefined {
    if (this.#inflight.has(id)) {
      return fail(
        'INVALID_REQUEST',
        'A request with this id is still in flight on this socket. Use another id.',
      );
    }
    const { connectionInflightMax } = this.#services;
    if (this.#inflight.size < connectionInflightMax) return undefined;
    return fail(
      'QUEUE_FULL',
      `This socket has ${connectionInflightMax} requests in flight, which is the limit. Wait for answers first.`,
    );
  }

  #sendError(error: FrameError): void {
    const start = this.#writer.length;
    encodeStreamError(error, this.#writer);
    this.#endFrame(start);
  }

  /** Frames gather until the current turn of work is done, then leave together. */
  #endFrame(start: number): void {
    this.#frames.push({ start, end: this.#writer.length });
    if (this.#frames.length === 1) {
      queueMicrotask(() => {
        this.#flush();
      });
    }
  }

  #flush(): void {
    const bytes = this.#writer.bytes();
    const frames = this.#frames.splice(0);
    this.#socket?.cork(() => {
      for (const { start, end } of frames) {
        // A reader so slow that the backlog limit is hit is disconnected by the library; the close event ends the rest.
        this.#socket?.send(bytes.subarray(start, end), true);
      }
    });
    this.#writer.reset();
  }
}

/** One request of a socket, waiting for its answer. */
class StreamCall implements ReplySink {
  readonly #connection: StreamConnection;
  readonly #id: FrameId;
  pending: PendingRequest | undefined;

  constructor(connection: StreamConnection, id: FrameId) {
    this.#connection = connection;
    this.#id = id;
  }

  reply(reply: InferReply): void {
    this.#connection.answered(this.#id, reply);
  }

  fail(error: WireError): void {
    this.#connection.failed(this.#id, error);
  }
}
