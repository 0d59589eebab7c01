/**
 * The WebSockets on `/v2/stream` as the server library sees them: negotiation of the subprotocol, limits, compression,
 * and all of them at once when the gateway shuts down. What is said on a socket is stream-connection.ts.
 */
import uWS, { type HttpRequest, type HttpResponse, type TemplatedApp } from 'uWebSockets.js';
import type { Limits } from '../admission/limits.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { RequestDoor } from '../dispatch/request-door.ts';
import { ByteWriter } from '../wire/byte-writer.ts';
import { fail, type WireError } from '../wire/error-code.ts';
import type { ServerIdentity } from '../wire/oip-metadata.ts';
import { StreamAnswerWriter } from '../wire/stream-answer.ts';
import { encodeHello, streamProtocol } from '../wire/stream-message.ts';
import type { HeadKeySource } from '../route/routing-key.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { HandshakeHeaders } from './handshake-headers.ts';
import type { TrustedProxies } from './client-address.ts';
import { routingKey } from './request-key.ts';
import { StreamConnection, type StreamServices } from './stream-connection.ts';
import { StreamOutbox } from './stream-outbox.ts';

export interface StreamEndpointOptions {
  readonly identity: ServerIdentity;
  readonly limits: Limits;
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly crossOrigin: CrossOrigin;
  /** A connection does not speak HTTP any more. */
  readonly onUpgrade: () => void;
  /** Whether permessage-deflate is agreed to. */
  readonly compression: boolean;
  /** Requests of a socket share the key of its handshake. */
  readonly keySources: readonly HeadKeySource[];
  /** What tells callers apart; empty where they are not bound. */
  readonly callers: readonly HeadKeySource[];
  readonly proxies: TrustedProxies;
  /** Answers a handshake that comes to nothing. */
  readonly refuse: (res: HttpResponse, req: HttpRequest, error: WireError) => void;
}

/** The library copies the fields of user data onto its socket object; a class instance would lose its methods. */
interface StreamData {
  readonly connection: StreamConnection;
}

const unsupported = fail(
  'UNSUPPORTED_SUBPROTOCOL',
  `This path speaks the subprotocol ${streamProtocol}. Offer it in Sec-WebSocket-Protocol, or offer none.`,
);

const foreign = fail(
  'ORIGIN_NOT_ALLOWED',
  'Web pages of this origin may not open a stream here. See --cors-origin.',
);

const draining = fail(
  'SHUTTING_DOWN',
  'The gateway is shutting down. Connect to another one, or again later.',
);

export class StreamEndpoint {
  readonly #options: StreamEndpointOptions;
  readonly #services: StreamServices;
  readonly #connections = new Set<StreamConnection>();
  #leaving = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: StreamEndpointOptions) {
    const { door, dispatcher, limits, identity, compression } = options;
    const { connectionInflightMax, connectionBacklogBytesMax, frameBytesMax, requestRowsMax } = limits;
    this.#options = options;
    this.#services = {
      door,
      dispatcher,
      outbox: new StreamOutbox({
        compress: compression,
        moreToCome: () => dispatcher.queuedRows > 0,
      }),
      answers: new StreamAnswerWriter(),
      connectionInflightMax,
      connectionBacklogBytesMax,
      hello: helloBytes(identity, {
        inflight_max: connectionInflightMax,
        frame_bytes_max: frameBytesMax,
        request_rows_max: requestRowsMax,
      }),
    };
  }

  addTo(app: TemplatedApp): void {
    const { limits, compression } = this.#options;
    for (const path of ['/v2/stream', '/v2/stream/']) {
      app.ws<StreamData>(path, {
        compression: compression ? uWS.SHARED_COMPRESSOR : uWS.DISABLED,
        maxPayloadLength: limits.frameBytesMax,
        maxBackpressure: limits.connectionBacklogBytesMax,
        closeOnBackpressureLimit: 1,
        idleTimeout: Math.round(limits.websocketIdleMsMax / 1000),
        upgrade: (res, req, context) => {
          const offered = req.getHeader('sec-websocket-protocol');
          const refusal = this.#refusalOf(req, offered);
          if (refusal !== undefined) {
            this.#options.refuse(res, req, refusal);
            return;
          }
          const greets = offered !== '';
          const { keySources, callers, proxies } = this.#options;
          const handshake = {
            greets,
            routingKey: routingKey(req, res, { sources: keySources, proxies }),
            headers: new HandshakeHeaders(req),
            caller: callers.length === 0 ? undefined : routingKey(req, res, { sources: callers, proxies }),
          };
          res.upgrade(
            { connection: new StreamConnection(this.#services, handshake) },
            req.getHeader('sec-websocket-key'),
            greets ? streamProtocol : '',
            req.getHeader('sec-websocket-extensions'),
            context,
          );
        },
        open: (socket) => {
          this.#options.onUpgrade();
          const { connection } = socket.getUserData();
          this.#connections.add(connection);
          connection.opened(socket);
        },
        message: (socket, frame, isBinary) => {
          socket.getUserData().connection.received(frame, isBinary);
        },
        drain: (socket) => {
          socket.getUserData().connection.drained();
        },
        close: (socket) => {
          this.#closed(socket.getUserData().connection);
        },
      });
    }
  }

  /** Tells every client that the gateway shuts down; each socket ends once its last answer is read. */
  leave(graceMs: number): void {
    this.#leaving = true;
    for (const connection of this.#connections) connection.leave(graceMs);
  }

  /** Resolves when every socket has ended. */
  async settled(): Promise<void> {
    while (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }

  #refusalOf(req: HttpRequest, offered: string): WireError | undefined {
    if (this.#leaving) return draining;
    return this.#options.crossOrigin.isForeign(req) ? foreign : subprotocolRefusal(offered);
  }

  #closed(connection: StreamConnection): void {
    this.#connections.delete(connection);
    connection.closed();
    if (this.#connections.size === 0) this.#onEmpty?.();
  }
}

/** Names of subprotocols, in the client's order of preference (RFC 6455 section 4.1); '' when it offers none. */
function subprotocolRefusal(offered: string): WireError | undefined {
  if (offered === '') return undefined;
  return offered.split(',').some((name) => name.trim() === streamProtocol) ? undefined : unsupported;
}

function helloBytes(
  { name, version }: ServerIdentity,
  limits: Parameters<typeof encodeHello>[0]['limits'],
): Uint8Array {
  const writer = new ByteWriter(256);
  encodeHello({ server: { name, version }, limits }, writer);
  return writer.bytes().slice();
}
