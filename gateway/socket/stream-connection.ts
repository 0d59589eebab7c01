/**
 * One WebSocket on `/v2/stream` (docs/protocol.md, "WebSocket"): many requests in flight, answered by id and in any
 * order. It bounds what one client may have in flight and what may wait for it to read, and ends after the last answer
 * when the gateway shuts down.
 * Invariant: a request that was taken is answered exactly once, by a result or an error, as long as the socket lives.
 */
import type { WebSocket } from 'uWebSockets.js';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { AcceptedRequest, IncomingRequest, RequestDoor } from '../dispatch/request-door.ts';
import type { CacheUse, ReplySink, RolloutChoice } from '../dispatch/request-queue.ts';
import type { HeaderValues } from '../route/caller.ts';
import type { Protocol } from '../telemetry/version-metrics.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { fail, type WireError } from '../wire/error-code.ts';
import type { InferReply, InferRequest } from '../wire/infer-request.ts';
import type { StreamAnswerWriter } from '../wire/stream-answer.ts';
import type { DecodedFrame, FrameError, FrameId, StreamRequest } from '../wire/stream-frame.ts';
import {
  encodeFlow,
  encodeGoaway,
  encodePong,
  encodeStreamError,
  type Encoding,
} from '../wire/stream-message.ts';
import { StreamFrameReader } from '../wire/stream-repeat.ts';
import { decodeTextFrame, encodeTextReply } from '../wire/stream-text.ts';
import { StreamInflight } from './stream-inflight.ts';
import type { OutboxMember, StreamOutbox } from './stream-outbox.ts';

export interface StreamServices {
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly outbox: StreamOutbox;
  readonly answers: StreamAnswerWriter;
  readonly connectionInflightMax: number;
  readonly connectionBacklogBytesMax: number;
  /** What is sent first to a client that negotiated the subprotocol. */
  readonly hello: Uint8Array;
}

export interface StreamHandshake {
  /** The client negotiated the subprotocol and is sent `hello`. */
  readonly greets: boolean;
  /** What rollouts divide by, for requests of this socket whose frames have no key of their own. */
  readonly routingKey: string | undefined;
  /** Of the handshake, for rules of rollouts. */
  readonly headers: HeaderValues;
  /** Who opened it, where callers are bound. */
  readonly caller: string | undefined;
}

/** Going away; RFC 6455 section 7.4.1. */
const closeGoingAway = 1001;

/** Text frames are for people: a tensor of this size as text would hold up everybody else while it is read. */
const textFrameBytesMax = 256 * 1024;

const textTooLarge = fail(
  'BODY_TOO_LARGE',
  `Text frames have at most ${textFrameBytesMax} bytes. Send larger requests as binary frames, in msgpack.`,
);

const duplicateId = fail(
  'INVALID_REQUEST',
  'A request with this id is still in flight on this socket. Use another id.',
);

const slowReader = fail(
  'SLOW_READER',
  'Too many answers wait to be read on this socket. Read them, and send this again when a flow frame says so.',
);

/** What is not an answer is written here first: it is short and rare. */
const scratch = new ByteWriter(1024);

export class StreamConnection implements OutboxMember {
  readonly #services: StreamServices;
  readonly #greets: boolean;
  readonly #reader = new StreamFrameReader();
  readonly #inflight = new StreamInflight<StreamCall>();
  readonly #incoming: ReusedRequest;
  #socket: WebSocket<unknown> | undefined;
  #heardText = false;
  #heardBinary = false;
  #paused = false;
  #leaving = false;
  firstFrame = -1;
  lastFrame = -1;

  constructor(services: StreamServices, { greets, ...handshake }: StreamHandshake) {
    this.#services = services;
    this.#greets = greets;
    this.#incoming = new ReusedRequest(handshake);
  }

  get socket(): WebSocket<unknown> | undefined {
    return this.#socket;
  }

  opened(socket: WebSocket<unknown>): void {
    this.#socket = socket;
    if (this.#greets) socket.send(this.#services.hello, true, false);
  }

  /** The client is gone: what it waited for is dropped where that is still possible. */
  closed(): void {
    this.#socket = undefined;
    for (const { pending } of this.#inflight.takeAll()) {
      if (pending !== undefined) this.#services.door.abandon(pending);
    }
  }

  /** One frame. `frame` may be reused by the library once this returns. */
  received(frame: ArrayBuffer, isBinary: boolean): void {
    if (isBinary) this.#heardBinary = true;
    else this.#heardText = true;
    const encoding = isBinary ? 'msgpack' : 'json';
    const decoded = this.#decodeSafely(new Uint8Array(frame), encoding);
    if (!decoded.ok) {
      this.#refuse(decoded, encoding);
      return;
    }
    const { value } = decoded;
    switch (value.kind) {
      case 'request':
        this.#take(value, encoding);
        return;
      case 'cancel':
        this.#cancel(value.id);
        return;
      case 'ping':
        scratch.reset();
        encodePong(value.id, encoding, scratch);
        this.#sendScratch(encoding);
        return;
    }
  }

  /** The gateway shuts down: says so, and ends the socket once everything is answered and read. */
  leave(graceMs: number): void {
    this.#leaving = true;
    const encoding = this.#controlEncoding;
    scratch.reset();
    encodeGoaway(graceMs, encoding, scratch);
    this.#sendScratch(encoding);
  }

  /** The socket took some of what waited for it. */
  drained(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.#paused && socket.getBufferedAmount() < this.#services.connectionBacklogBytesMax / 4) {
      this.#setPaused(false);
    }
    this.#endIfDone(socket);
  }

  /** For the outbox: the frames of this turn were handed to the library. */
  flushed(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const backlogBytes = socket.getBufferedAmount();
    if (backlogBytes > 0) {
      const { connectionBacklogBytesMax } = this.#services;
      if (backlogBytes > connectionBacklogBytesMax) {
        socket.close();
        return;
      }
      if (!this.#paused && backlogBytes > connectionBacklogBytesMax / 2) this.#setPaused(true);
    }
    this.#endIfDone(socket);
  }

  answered(call: StreamCall, reply: InferReply): void {
    const { space } = this.#services.outbox;
    const start = space.length;
    try {
      if (call.encoding === 'json') {
        scratch.reset();
        encodeTextReply(reply, scratch, call);
        space.add(scratch.bytes());
      } else {
        this.#services.answers.write(reply, space, call);
      }
    } catch (fault) {
      // Nothing of an answer that could not be written may leave; an error will follow in its place.
      space.cut(start);
      throw fault;
    }
    this.#inflight.remove(call);
    this.#services.outbox.end(this, start, call.encoding === 'json');
  }

  failed(call: StreamCall, error: WireError): void {
    this.#inflight.remove(call);
    this.#sendError({ ...error, id: call.id }, call.encoding);
  }

  #take(frame: StreamRequest, encoding: Encoding): void {
    const { id } = frame;
    const refusal = this.#refusalOf(id);
    if (refusal !== undefined) {
      this.#refuse({ ...refusal, id }, encoding);
      return;
    }
    const call = new StreamCall(this, id, encoding);
    const outcome = this.#services.door.accept(this.#incoming.with(frame, call));
    if ('code' in outcome) {
      this.#sendError({ ...outcome, id }, encoding);
      return;
    }
    call.pending = outcome;
    this.#inflight.add(call);
  }

  /** What still waits is answered CANCELLED; what runs is answered as it ends; what is answered already was. */
  #cancel(id: FrameId): void {
    const pending = this.#inflight.get(id)?.pending;
    if (pending !== undefined) this.#services.door.cancel(pending);
  }

  /** A fault of the decoder is ours, and must cost neither the socket nor the process. */
  #decodeSafely(frame: Uint8Array, encoding: Encoding): DecodedFrame {
    try {
      if (encoding === 'msgpack') return this.#reader.read(frame);
      return frame.length > textFrameBytesMax ? textTooLarge : decodeTextFrame(frame);
    } catch (fault) {
      return this.#services.dispatcher.reportFault(fault);
    }
  }

  #refusalOf(id: FrameId): WireError | undefined {
    if (this.#paused) return slowReader;
    if (this.#inflight.size > 0 && this.#inflight.get(id) !== undefined) return duplicateId;
    const { connectionInflightMax } = this.#services;
    if (this.#inflight.size < connectionInflightMax) return undefined;
    return fail(
      'CALLER_LIMIT',
      `This socket has ${connectionInflightMax} requests in flight, which is the limit. Wait for answers first.`,
    );
  }

  #refuse(error: FrameError, encoding: Encoding): void {
    this.#services.door.refuse(protocolOf(encoding), error);
    this.#sendError(error, encoding);
  }

  #sendError(error: FrameError, encoding: Encoding): void {
    scratch.reset();
    encodeStreamError(error, encoding, scratch);
    this.#sendScratch(encoding);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    const encoding = this.#controlEncoding;
    scratch.reset();
    encodeFlow(paused, encoding, scratch);
    this.#sendScratch(encoding);
  }

  #sendScratch(encoding: Encoding): void {
    const { outbox } = this.#services;
    const start = outbox.space.length;
    outbox.space.add(scratch.bytes());
    outbox.end(this, start, encoding === 'json');
  }

  /** A client that has only ever sent text is spoken to in text. */
  get #controlEncoding(): Encoding {
    return this.#heardText && !this.#heardBinary ? 'json' : 'msgpack';
  }

  #endIfDone(socket: WebSocket<unknown>): void {
    if (!this.#leaving || this.#inflight.size > 0 || this.firstFrame !== -1) return;
    if (socket.getBufferedAmount() === 0) socket.end(closeGoingAway, 'The gateway shuts down.');
  }
}

/** One request of a socket, waiting for its answer. */
class StreamCall implements ReplySink {
  readonly #connection: StreamConnection;
  readonly id: FrameId;
  readonly encoding: Encoding;
  pending: AcceptedRequest | undefined = undefined;
  rollout: RolloutChoice | undefined = undefined;
  cache: CacheUse | undefined = undefined;

  constructor(connection: StreamConnection, id: FrameId, encoding: Encoding) {
    this.#connection = connection;
    this.id = id;
    this.encoding = encoding;
  }

  routed(choice: RolloutChoice): void {
    this.rollout = choice;
  }

  cached(use: CacheUse): void {
    this.cache = use;
  }

  reply(reply: InferReply): void {
    this.#connection.answered(this, reply);
  }

  fail(error: WireError): void {
    this.#connection.failed(this, error);
  }
}

/** What the door is asked with; it keeps no more than a copy of it, so one object for each socket will do. */
class ReusedRequest implements IncomingRequest {
  protocol: Protocol = 'stream-msgpack';
  modelName = '';
  modelVersion: string | undefined = undefined;
  sink: ReplySink = nobody;
  routingKey: string | undefined;
  readonly headers: HeaderValues;
  readonly caller: string | undefined;
  readonly #handshakeKey: string | undefined;
  readonly #decoded: { readonly ok: true; value: InferRequest } = { ok: true, value: noRequest };
  readonly decode = (): { readonly ok: true; readonly value: InferRequest } => this.#decoded;

  constructor({ routingKey, headers, caller }: Omit<StreamHandshake, 'greets'>) {
    this.routingKey = routingKey;
    this.#handshakeKey = routingKey;
    this.headers = headers;
    this.caller = caller;
  }

  with({ model, version, routingKey, request }: StreamRequest, call: StreamCall): this {
    this.routingKey = routingKey === undefined || routingKey === '' ? this.#handshakeKey : routingKey;
    this.protocol = protocolOf(call.encoding);
    this.modelName = model;
    this.modelVersion = version;
    this.sink = call;
    this.#decoded.value = request;
    return this;
  }
}

const nobody: ReplySink = { reply: () => undefined, fail: () => undefined };
const noRequest: InferRequest = { id: undefined, inputs: [], outputs: undefined, options: undefined };

function protocolOf(encoding: Encoding): Protocol {
  return encoding === 'json' ? 'stream-json' : 'stream-msgpack';
}
