/**
 * One socket: what is in flight on it, what its gateway allows, and how it ends. It decodes and routes; whether a call
 * is repeated elsewhere is for the stream client to decide.
 * Invariants: every shipment comes back exactly once, answered or with the end of the socket; after `ended` nothing does.
 */
import type { Clock } from '../clock.ts';
import type { InferResult } from '../infer-result.ts';
import { asTidegateError, TidegateError } from '../tidegate-error.ts';
import {
  decodeServerFrame,
  decodeServerText,
  encodeCancel,
  encodePing,
  type Hello,
  type ServerFrame,
} from '../wire/stream-frame.ts';
import type { Dial } from './dialer.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Shipment } from './pending-call.ts';
import type { CloseLike, ErrorLike, MessageLike, WebSocketConstructor, WebSocketLike } from './web-socket.ts';

export interface ConnectionOptions {
  readonly webSocket: WebSocketConstructor;
  readonly dial: Dial;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** A fresh id, unique among everything this client sends. */
  readonly nextId: () => number;
}

export interface ConnectionEnd {
  readonly error: TidegateError;
  /** Close code of the socket, when there was one. */
  readonly code: number | undefined;
  /** False when the socket never opened. */
  readonly wasOpen: boolean;
  /** In the order they were sent. */
  readonly unanswered: readonly Shipment[];
}

export interface ConnectionListener {
  opened(connection: StreamConnection): void;
  greeted(connection: StreamConnection, hello: Hello): void;
  answered(shipment: Shipment, outcome: InferResult | TidegateError): void;
  flow(paused: boolean): void;
  /** It takes no new requests from now on. */
  leaving(connection: StreamConnection): void;
  ended(connection: StreamConnection, end: ConnectionEnd): void;
}

/** Codes that a client may close with: 1000, and 4000 to 4999 as it likes. */
const closeCodes = { normal: 1000, unreadable: 4002, silent: 4008 } as const;

export class StreamConnection {
  readonly url: string;
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #socket: WebSocketLike;
  readonly #inflight = new Map<number, Shipment>();
  readonly #cancelConnectTimer: () => void;
  #heartbeat: Heartbeat | undefined;
  #state: 'connecting' | 'open' | 'leaving' | 'ended' = 'connecting';
  #paused = false;
  #hello: Hello | undefined;

  /** Throws what the constructor of the socket throws. */
  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    const { webSocket, dial, clock, connectTimeoutMs } = options;
    this.url = dial.url;
    this.#options = options;
    this.#listener = listener;
    // `ws` takes an empty list for none; browsers do too.
    this.#socket = new webSocket(dial.url, [...dial.protocols]);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.addEventListener('open', () => {
      this.#opened();
    });
    this.#socket.addEventListener('message', (event: MessageLike) => {
      this.#received(event.data);
    });
    this.#socket.addEventListener('close', ({ code, reason }: CloseLike) => {
      this.#lost(code, reason);
    });
    this.#socket.addEventListener('error', (event: ErrorLike) => {
      // On an open socket `close` follows. The WebSocket of Node 20 has none for a socket that never opened.
      if (this.#state === 'connecting') this.#lost(undefined, event.message);
    });
    this.#cancelConnectTimer = clock.after(connectTimeoutMs, () => {
      this.#end(connectionLost(`${this.url} did not answer within ${connectTimeoutMs} ms.`), undefined);
    });
  }

  get hello(): Hello | undefined {
    return this.#hello;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Requests without an answer, those that nobody waits for any more included: the gateway counts them too. */
  get inflight(): number {
    return this.#inflight.size;
  }

  /** Bytes that the platform holds because the network is slower than the caller. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(shipment: Shipment, frame: Uint8Array<ArrayBuffer>): void {
    this.#inflight.set(shipment.id, shipment);
    this.#socket.send(frame);
  }

  /** Nobody waits for this any more. The answer, whatever it is, still takes its place until it comes. */
  cancel(id: number): void {
    if (this.#inflight.has(id) && this.#state !== 'ended') this.#socket.send(encodeCancel(id));
  }

  /** Takes nothing new; closes when the last answer is in. */
  leave(): void {
    if (this.#state !== 'open') return;
    this.#state = 'leaving';
    this.#listener.leaving(this);
    this.#closeWhenDone();
  }

  /** Closes now; what is in flight comes back unanswered. */
  close(error: TidegateError): void {
    this.#end(error, closeCodes.normal);
  }

  #opened(): void {
    if (this.#state !== 'connecting') return;
    const { clock, pingIntervalMs, pingTimeoutMs, nextId } = this.#options;
    this.#state = 'open';
    this.#cancelConnectTimer();
    this.#heartbeat = new Heartbeat({
      clock,
      intervalMs: pingIntervalMs,
      timeoutMs: pingTimeoutMs,
      ask: () => {
        this.#socket.send(encodePing(nextId()));
      },
      dead: () => {
        this.#end(connectionLost(`${this.url} has not given a sign of life.`), closeCodes.silent);
      },
    });
    this.#listener.opened(this);
  }

  #received(data: unknown): void {
    if (this.#state === 'ended') return;
    this.#heartbeat?.heard();
    let frame: ServerFrame;
    try {
      frame = typeof data === 'string' ? decodeServerText(data) : decodeServerFrame(frameBytes(data));
    } catch (thrown) {
      // Nobody can tell whose answer that was, so nobody may go on waiting on this socket.
      const error = asTidegateError(thrown, 'INVALID_RESPONSE', 'The frame could not be read');
      this.#end(error, closeCodes.unreadable);
      return;
    }
    this.#dispatch(frame);
  }

  #dispatch(frame: ServerFrame): void {
    switch (frame.kind) {
      case 'answer':
        this.#answered(frame.id, frame.result);
        break;
      case 'error':
        if (frame.id !== undefined) this.#answered(frame.id, frame.error);
        break;
      case 'hello':
        this.#hello = frame.hello;
        this.#listener.greeted(this, frame.hello);
        break;
      case 'flow':
        this.#paused = frame.paused;
        this.#listener.flow(frame.paused);
        break;
      case 'goaway':
        this.leave();
        break;
      case 'pong':
      case 'unknown':
        break;
    }
  }

  #answered(id: number, outcome: InferResult | TidegateError): void {
    const shipment = this.#inflight.get(id);
    // The answer to a ping by a gateway that does not know pings, or a second answer.
    if (shipment === undefined) return;
    this.#inflight.delete(id);
    // A gateway that says this and no goaway is of an earlier version.
    if (outcome instanceof TidegateError && outcome.code === 'SHUTTING_DOWN') this.leave();
    this.#listener.answered(shipment, outcome);
    this.#closeWhenDone();
  }

  #closeWhenDone(): void {
    if (this.#state !== 'leaving' || this.#inflight.size > 0) return;
    this.#end(connectionLost(`${this.url} shut down.`), closeCodes.normal);
  }

  #lost(code: number | undefined, reason: string | undefined): void {
    const why = reason === undefined || reason === '' ? `close code ${code ?? 'unknown'}` : reason;
    const what = this.#state === 'connecting' ? 'cannot be reached' : 'ended the connection';
    this.#end(connectionLost(`${this.url} ${what} (${why}).`), undefined, code);
  }

  #end(error: TidegateError, closeWith: number | undefined, code?: number): void {
    if (this.#state === 'ended') return;
    const wasOpen = this.#state !== 'connecting';
    this.#state = 'ended';
    this.#cancelConnectTimer();
    this.#heartbeat?.stop();
    const unanswered = [...this.#inflight.values()];
    this.#inflight.clear();
    // Also while it still connects: browsers then drop the attempt.
    if (code === undefined) this.#socket.close(closeWith);
    this.#listener.ended(this, { error, code, wasOpen, unanswered });
  }
}

function frameBytes(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (data instanceof Uint8Array) return data;
  throw new TidegateError('INVALID_RESPONSE', 'The gateway sent a frame of a kind that is not asked for.');
}

function connectionLost(message: string): TidegateError {
  return new TidegateError('CONNECTION_LOST', message);
}
