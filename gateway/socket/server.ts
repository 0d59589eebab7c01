/**
 * The listening server: one uWebSockets.js app with all routes. It knows sockets and routes; what a request means is
 * behind the door. Only this folder imports the server library.
 */
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';
import type { Limits } from '../admission/limits.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { RequestDoor } from '../dispatch/request-door.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import { fail } from '../wire/error-code.ts';
import type { ServerIdentity } from '../wire/oip-metadata.ts';
import { addInferenceRoutes } from './inference-routes.ts';
import { addInformationRoutes } from './information-routes.ts';
import { RouteRegistry } from './route-registry.ts';
import { StreamConnection } from './stream-connection.ts';

export interface ServerOptions {
  readonly identity: ServerIdentity;
  readonly limits: Limits;
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly metrics: MetricsPage;
  readonly ready: () => boolean;
}

export class GatewayServer {
  readonly #app: TemplatedApp;
  #listener: us_listen_socket | undefined;

  constructor(options: ServerOptions) {
    this.#app = uWS.App();
    const registry = new RouteRegistry(this.#app);
    const { door, dispatcher, limits } = options;
    addInferenceRoutes({ registry, door, dispatcher, bodyBytesMax: limits.bodyBytesMax });
    addInformationRoutes({ ...options, registry, routes: () => door.routes });
    this.#addStream(options);
    registry.add('get', '/v2/stream', (res) => {
      const message =
        'This path speaks WebSocket: connect to it with a WebSocket client. See docs/protocol.md.';
      registry.answerError(res, fail('UPGRADE_REQUIRED', message), { upgrade: 'websocket' });
    });
    registry.close();
  }

  /** Resolves with the port that is listened on (the one asked for, or a free one for 0). */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const opened = (listener: us_listen_socket | false): void => {
        if (listener === false) {
          reject(
            new Error(`Port ${port} on ${host} is taken or not allowed. Choose another one with --port.`),
          );
          return;
        }
        this.#listener = listener;
        resolve(uWS.us_socket_local_port(listener));
      };
      // Without the exclusive option a second gateway started by mistake would silently share the port.
      const listenOn = this.#app.listen.bind(this.#app) as unknown as ListenOn;
      listenOn(host, port, exclusivePort, opened);
    });
  }

  /** Takes no new connections; those that exist go on. */
  stopListening(): void {
    if (this.#listener !== undefined) uWS.us_listen_socket_close(this.#listener);
    this.#listener = undefined;
  }

  /** Ends every connection. */
  close(): void {
    this.#listener = undefined;
    this.#app.close();
  }

  #addStream({ limits, door, dispatcher }: ServerOptions): void {
    const services = { door, dispatcher, connectionInflightMax: limits.connectionInflightMax };
    this.#app.ws<StreamData>('/v2/stream', {
      maxPayloadLength: limits.frameBytesMax,
      maxBackpressure: limits.connectionBacklogBytesMax,
      closeOnBackpressureLimit: 1,
      idleTimeout: Math.round(limits.websocketIdleMsMax / 1000),
      upgrade: (res, req, context) => {
        res.upgrade(
          { connection: new StreamConnection(services) },
          req.getHeader('sec-websocket-key'),
          req.getHeader('sec-websocket-protocol'),
          req.getHeader('sec-websocket-extensions'),
          context,
        );
      },
      open: (socket) => {
        socket.getUserData().connection.opened(socket);
      },
      message: (socket, frame, isBinary) => {
        socket.getUserData().connection.received(frame, isBinary);
      },
      close: (socket) => {
        socket.getUserData().connection.closed();
      },
    });
  }
}

/** The library copies the fields of user data onto its socket object; a class instance would lose its methods. */
interface StreamData {
  readonly connection: StreamConnection;
}

/** LIBUS_LISTEN_EXCLUSIVE_PORT, a number that the library's typings do not name. */
const exclusivePort = 1;

/** The library's typings lack the form with a host and options; its code has it. */
type ListenOn = (
  host: string,
  port: number,
  options: number,
  opened: (listener: us_listen_socket | false) => void,
) => void;
