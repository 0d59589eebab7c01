/**
 * The way to a gateway: keeps one socket that takes requests while somebody wants it, moves to the next when that one
 * ends or its gateway leaves, and lets the old ones finish what they owe.
 * Invariant: at most one socket takes new requests; a socket that is gone is never handed out.
 */
import type { InferResult } from '../infer-result.ts';
import { asTidegateError, type TidegateError } from '../tidegate-error.ts';
import type { Dialer } from './dialer.ts';
import type { Shipment } from './pending-call.ts';
import { type ConnectionEnd, StreamConnection } from './stream-connection.ts';
import type { StreamSettings } from './stream-options.ts';

export interface LineListener {
  /** More may be sent than before. */
  ready(): void;
  answered(shipment: Shipment, outcome: InferResult | TidegateError): void;
  /** These are owed an answer that will not come. */
  unanswered(end: ConnectionEnd): void;
  /** No gateway could be reached as often as was allowed. */
  gaveUp(error: TidegateError): void;
}

export interface LineOptions {
  readonly settings: StreamSettings;
  readonly dialer: Dialer;
  /** A fresh id, unique among everything this client sends. */
  readonly nextId: () => number;
  readonly listener: LineListener;
}

export class GatewayLine {
  readonly #options: LineOptions;
  /** Open, opening, or finishing what they owe. */
  readonly #connections = new Set<StreamConnection>();
  #current: StreamConnection | undefined;
  #cancelDial: (() => void) | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** The socket that takes requests once it is open. */
  get current(): StreamConnection | undefined {
    return this.#current;
  }

  get isConnecting(): boolean {
    return this.#cancelDial !== undefined || this.#current?.isOpen === false;
  }

  get inflight(): number {
    return [...this.#connections].reduce((sum, connection) => sum + connection.inflight, 0);
  }

  /** Connects, unless it does or has already. */
  want(): void {
    if (this.#cancelDial !== undefined || this.#current !== undefined) return;
    const { settings, dialer } = this.#options;
    const delayMs = dialer.delayMs();
    settings.onEvent({ kind: 'connecting', url: dialer.current.url, delayMs });
    if (delayMs <= 0) {
      this.#connect();
      return;
    }
    this.#cancelDial = settings.clock.after(delayMs, () => {
      this.#cancelDial = undefined;
      this.#connect();
    });
  }

  /** Closes everything now. */
  close(error: TidegateError): void {
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    for (const connection of [...this.#connections]) connection.close(error);
  }

  #connect(): void {
    const { settings, dialer, nextId, listener } = this.#options;
    try {
      this.#current = new StreamConnection(
        { ...settings, dial: dialer.current, nextId },
        {
          opened: ({ url }) => {
            dialer.opened();
            settings.onEvent({ kind: 'connected', url });
            listener.ready();
          },
          greeted: ({ url }, hello) => {
            dialer.greeted();
            settings.onEvent({ kind: 'hello', url, hello });
            listener.ready();
          },
          answered: (shipment, outcome) => {
            listener.answered(shipment, outcome);
          },
          flow: (paused) => {
            settings.onEvent({ kind: 'flow', paused });
            listener.ready();
          },
          leaving: (connection) => {
            this.#leaving(connection);
          },
          ended: (connection, end) => {
            this.#ended(connection, end);
          },
        },
      );
      this.#connections.add(this.#current);
    } catch (thrown) {
      listener.gaveUp(asTidegateError(thrown, 'CONNECTION_LOST', 'The socket could not be made'));
    }
  }

  #leaving(connection: StreamConnection): void {
    this.#options.settings.onEvent({ kind: 'goaway', url: connection.url });
    if (this.#current !== connection) return;
    this.#current = undefined;
    this.#options.dialer.left();
    this.#options.listener.ready();
  }

  #ended(connection: StreamConnection, end: ConnectionEnd): void {
    const { settings, dialer, listener } = this.#options;
    const unanswered = end.unanswered.length;
    this.#connections.delete(connection);
    if (this.#current === connection) {
      this.#current = undefined;
      if (end.wasOpen) dialer.left();
      else dialer.failed();
    }
    settings.onEvent({ kind: 'lost', url: connection.url, error: end.error, unanswered });
    listener.unanswered(end);
    if (dialer.exhausted) {
      dialer.reset();
      listener.gaveUp(end.error);
    } else {
      listener.ready();
    }
  }
}
