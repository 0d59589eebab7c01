/**
 * The listening server: one uWebSockets.js app with all routes. It knows sockets and routes; what a request means is
 * behind the door. Only this folder imports the server library.
 */
import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';
import type { Limits } from '../admission/limits.ts';
import type { Dispatcher } from '../dispatch/dispatcher.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import type { RequestDoor } from '../dispatch/request-door.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import type { HeadKeySource, KeyPlan } from '../route/routing-key.ts';
import type { RolloutReport } from '../telemetry/rollout-report.ts';
import type { ScalingReport } from '../telemetry/scaling-report.ts';
import { fail } from '../wire/error-code.ts';
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';
import type { ServerIdentity } from '../wire/oip-metadata.ts';
import type { TrustedProxies } from './client-address.ts';
import { CrossOrigin } from './cross-origin.ts';
import { addDocumentRoutes } from './document-routes.ts';
import { ForcePermission, type ForcePolicy } from './force-permission.ts';
import { addInferenceRoutes } from './inference-routes.ts';
import { addInformationRoutes } from './information-routes.ts';
import { OpenCount } from './open-count.ts';
import { OpenExchanges } from './open-exchanges.ts';
import { addRepositoryRoutes, type RepositoryControl, type RepositoryView } from './repository-routes.ts';
import type { ReceivingBytes } from './receiving-bytes.ts';
import { RouteRegistry } from './route-registry.ts';
import { portRefusal } from './port-refusal.ts';
import { RouteAnswer } from './route-answer.ts';
import { StreamEndpoint } from './stream-endpoint.ts';

export interface ServerOptions {
  readonly identity: ServerIdentity;
  /** What runs the models. */
  readonly engine: EngineChoice;
  readonly limits: Limits;
  /** What bodies hold that are still arriving. */
  readonly receiving: ReceivingBytes;
  readonly door: RequestDoor;
  readonly dispatcher: Dispatcher;
  readonly metrics: MetricsPage;
  readonly ready: () => boolean;
  readonly health: () => object;
  readonly rollouts: () => RolloutReport;
  readonly scaling: () => ScalingReport;
  /** What a version takes on all threads together, bytes. */
  readonly memoryOf: (generation: ModelGeneration) => number;
  readonly repository: Omit<RepositoryView, 'routes'>;
  /** Undefined on a node that only follows its store. */
  readonly control: RepositoryControl | undefined;
  /** The address that will be listened on. */
  readonly host: string;
  /** Origins of web pages that may call the gateway; see CrossOrigin. */
  readonly corsOrigins: readonly string[];
  /** Whether WebSockets may agree to permessage-deflate. */
  readonly websocketCompression: boolean;
  /** Where requests carry the key that rollouts divide by, the first that has one. */
  readonly keys: KeyPlan;
  /** What tells callers apart, the first that is there; empty where they are not bound. */
  readonly callers: readonly HeadKeySource[];
  /** Whose word counts for where a request comes from. */
  readonly proxies: TrustedProxies;
  /** Who may choose a version by header. */
  readonly forceVersion: ForcePolicy;
  readonly threads: number;
  /** Other processes of this node listen on the same port. */
  readonly sharesPort: boolean;
  readonly onFault: (fault: unknown) => void;
}

export class GatewayServer {
  readonly #app: TemplatedApp;
  readonly #open = new OpenExchanges();
  readonly #connections = new OpenCount();
  readonly #listenOptions: number;
  readonly #streams: StreamEndpoint;
  #listener: us_listen_socket | undefined;

  constructor(options: ServerOptions) {
    this.#app = uWS.App();
    this.#listenOptions = options.sharesPort ? 0 : exclusivePort;
    this.#app.filter((_, change) => {
      if (Number(change) > 0) this.#connections.opened();
      else this.#connections.ended();
    });
    const open = this.#open;
    const crossOrigin = new CrossOrigin(options.corsOrigins, options.host);
    const { door, limits, control, onFault } = options;
    const routes = (): typeof door.routes => door.routes;
    const registry = new RouteRegistry(this.#app, { open, crossOrigin, onFault });
    const force = new ForcePermission(options.forceVersion);
    const { receiving, keys, callers, proxies } = options;
    addInferenceRoutes({
      registry,
      door,
      limits,
      receiving,
      open,
      crossOrigin,
      keys,
      callers,
      proxies,
      force,
    });
    const mayChangeStore = control !== undefined;
    const { batchRowsMax, sequenceIdleMsMax } = limits;
    addInformationRoutes({ ...options, registry, routes, mayChangeStore, batchRowsMax, sequenceIdleMsMax });
    addRepositoryRoutes({ registry, view: { ...options.repository, routes }, control, onFault });
    addDocumentRoutes({ registry, routes, identity: options.identity });
    this.#streams = new StreamEndpoint({
      ...options,
      crossOrigin,
      // The library tells of a connection that comes, and of one that goes unless it has become a WebSocket.
      onUpgrade: () => {
        this.#connections.ended();
      },
      compression: options.websocketCompression,
      keySources: [...keys.before, ...keys.after],
      refuse: (res, req, error) => {
        new RouteAnswer(res, req, { open, crossOrigin }).error(error);
      },
    });
    this.#streams.addTo(this.#app);
    registry.add('get', '/v2/stream', (answer) => {
      const message =
        'This path speaks WebSocket: connect to it with a WebSocket client. See docs/protocol.md.';
      answer.error(fail('UPGRADE_REQUIRED', message), { upgrade: 'websocket' });
    });
    registry.close();
  }

  /** Resolves with the port that is listened on (the one asked for, or a free one for 0). */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const opened = (listener: us_listen_socket | false): void => {
        if (listener === false) {
          reject(portRefusal(host, port));
          return;
        }
        this.#listener = listener;
        resolve(uWS.us_socket_local_port(listener));
      };
      // Without the exclusive option a second gateway started by mistake would silently share the port.
      const listenOn = this.#app.listen.bind(this.#app) as unknown as ListenOn;
      listenOn(host, port, this.#listenOptions, opened);
    });
  }

  /** Takes no new connections; those that exist go on. */
  stopListening(): void {
    if (this.#listener !== undefined) uWS.us_listen_socket_close(this.#listener);
    this.#listener = undefined;
  }

  /**
   * Sends the clients to the other processes on the port, none of them in the middle of anything: HTTP connections end with
   * their next answer, which is still a real one, or when they were idle for as long as connections may be; WebSockets with
   * their last answer. Resolves when none is left.
   */
  async part(graceMs: number): Promise<void> {
    this.#open.part();
    this.#streams.leave(graceMs);
    await this.#connections.settled();
    await this.#streams.settled();
  }

  /**
   * From now on HTTP exchanges that begin are new work, connections end with their next answer, and WebSockets with their
   * last; what is open is finished.
   */
  drain(graceMs: number): void {
    this.#open.drain();
    this.#streams.leave(graceMs);
  }

  /** HTTP exchanges whose body is still coming or whose answer is not taken yet. */
  get openExchanges(): number {
    return this.#open.count;
  }

  /** Resolves when no HTTP exchange is open: every body received, every answer taken by its socket. */
  settled(): Promise<void> {
    return this.#open.settled();
  }

  /** Resolves when no client has a connection for HTTP. */
  disconnected(): Promise<void> {
    return this.#connections.settled();
  }

  /** Resolves when every WebSocket has ended, its last answer taken. */
  streamsSettled(): Promise<void> {
    return this.#streams.settled();
  }

  /** Ends every connection. */
  close(): void {
    this.#listener = undefined;
    this.#app.close();
  }
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
