/** The options of the stream client, with all defaults and bounds in one place. */
import { type Clock, systemClock } from '../clock.ts';
import type { RetryOptions } from '../retry-policy.ts';
import { TidegateError } from '../tidegate-error.ts';
import type { Hello } from '../wire/stream-frame.ts';
import { platformWebSocket, type WebSocketConstructor } from './web-socket.ts';

/** What happens below the calls, for logs and status lights. */
export type StreamEvent =
  | { readonly kind: 'connecting'; readonly url: string; readonly delayMs: number }
  | { readonly kind: 'connected'; readonly url: string }
  /** The gateway has said who it is and what it allows. */
  | { readonly kind: 'hello'; readonly url: string; readonly hello: Hello }
  /** The gateway asks to hold requests back, or no longer. */
  | { readonly kind: 'flow'; readonly paused: boolean }
  /** The gateway shuts down; calls go elsewhere from now on. */
  | { readonly kind: 'goaway'; readonly url: string }
  /** `unanswered` requests were in flight. */
  | {
      readonly kind: 'lost';
      readonly url: string;
      readonly error: TidegateError;
      readonly unanswered: number;
    };

export interface StreamClientOptions {
  /** `http://host:8000`, `wss://...`, with or without `/v2/stream`; several are tried in turn. */
  readonly url: string | readonly string[];
  /** Default: the WebSocket of the platform. Node 20 has none; see README.md. */
  readonly webSocket?: WebSocketConstructor | undefined;
  /** Milliseconds that a call may take unless it says otherwise; Infinity for no deadline. Default 30,000. */
  readonly deadlineMs?: number | undefined;
  /** How often one call is sent. */
  readonly retry?: RetryOptions | undefined;
  /** How often a connection is tried before waiting calls fail. Default: 8 attempts, base 100 ms, cap 5,000 ms. */
  readonly reconnect?: RetryOptions | undefined;
  /** Requests in flight on the socket; the gateway's own limit counts when that is lower. Default 1,024. */
  readonly inflightMax?: number | undefined;
  /** Calls that may wait; beyond that they are refused with QUEUE_FULL. Default 4,096. */
  readonly waitingMax?: number | undefined;
  /** Most one-row calls that share a frame; 1, the default, joins none. */
  readonly batchRowsMax?: number | undefined;
  /** Milliseconds of silence before the gateway is asked for a sign of life. Default 15,000. */
  readonly pingIntervalMs?: number | undefined;
  /** Milliseconds that it has to give one. Default 10,000. */
  readonly pingTimeoutMs?: number | undefined;
  /** Milliseconds until a connection must be open. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Bytes that may wait in the socket before calls are held back. Default 1 MiB. */
  readonly sendBufferBytesMax?: number | undefined;
  readonly onEvent?: ((event: StreamEvent) => void) | undefined;
  /** For tests: numbers from 0 to below 1, and the time. */
  readonly random?: (() => number) | undefined;
  readonly clock?: Clock | undefined;
}

/** Options with everything decided. */
export interface StreamSettings {
  readonly urls: readonly string[];
  readonly webSocket: WebSocketConstructor;
  readonly deadlineMs: number;
  readonly retry: RetryOptions | undefined;
  readonly reconnect: RetryOptions | undefined;
  readonly inflightMax: number;
  readonly waitingMax: number;
  readonly batchRowsMax: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly sendBufferBytesMax: number;
  readonly onEvent: (event: StreamEvent) => void;
  readonly random: () => number;
  readonly clock: Clock;
}

/** Throws INVALID_ARGUMENT. */
export function streamSettings(options: StreamClientOptions): StreamSettings {
  const webSocket = options.webSocket ?? platformWebSocket();
  if (webSocket === undefined) {
    throw new TidegateError(
      'INVALID_ARGUMENT',
      'There is no WebSocket here. Give one as the option webSocket, or start Node with --experimental-websocket.',
    );
  }
  return {
    urls: typeof options.url === 'string' ? [options.url] : options.url,
    webSocket,
    deadlineMs: options.deadlineMs ?? 30_000,
    retry: options.retry,
    reconnect: options.reconnect,
    inflightMax: whole('inflightMax', options.inflightMax ?? 1024, 1),
    waitingMax: whole('waitingMax', options.waitingMax ?? 4096, 0),
    batchRowsMax: whole('batchRowsMax', options.batchRowsMax ?? 1, 1),
    pingIntervalMs: whole('pingIntervalMs', options.pingIntervalMs ?? 15_000, 1),
    pingTimeoutMs: whole('pingTimeoutMs', options.pingTimeoutMs ?? 10_000, 1),
    connectTimeoutMs: whole('connectTimeoutMs', options.connectTimeoutMs ?? 10_000, 1),
    sendBufferBytesMax: whole('sendBufferBytesMax', options.sendBufferBytesMax ?? 1_048_576, 1),
    onEvent: options.onEvent ?? ((): void => undefined),
    random: options.random ?? Math.random,
    clock: options.clock ?? systemClock,
  };
}

function whole(name: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new TidegateError('INVALID_ARGUMENT', `${name} is ${value}; it is a whole number from ${min} on.`);
}
