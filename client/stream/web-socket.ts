/**
 * The part of the browser's WebSocket that the client uses. Browsers, Node from 22 on (and Node 20 with
 * `--experimental-websocket`), the packages `ws` and `undici` all have it.
 */

export interface WebSocketLike {
  binaryType: string;
  /** Bytes that were given to `send` and have not left yet. */
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: (event: ErrorLike) => void): void;
  addEventListener(type: 'message', listener: (event: MessageLike) => void): void;
  addEventListener(type: 'close', listener: (event: CloseLike) => void): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string[]) => WebSocketLike;

export interface MessageLike {
  readonly data: unknown;
}

/** Browsers do not say why. */
export interface ErrorLike {
  readonly message?: string;
}

export interface CloseLike {
  readonly code?: number;
  readonly reason?: string;
}

/** The constructor of the platform; undefined where there is none. */
export function platformWebSocket(): WebSocketConstructor | undefined {
  return (globalThis as { readonly WebSocket?: WebSocketConstructor }).WebSocket;
}
