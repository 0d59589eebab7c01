/**
 * The listening server of the control API, on a port of its own. It is the server of Node and not uWebSockets.js, because
 * that one lets clients without a certificate in where it was given a CA to verify them with; this port must not, and it
 * is asked so seldom that speed is no reason.
 */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ControlLimits } from '../admin/control-limits.ts';
import { type ControlService, answerOf } from '../admin/control-service.ts';
import { refuse } from '../admin/control-error.ts';
import type { TrustedProxies } from './client-address.ts';
import { type ExchangeParts, callOf, writeAnswer } from './control-exchange.ts';

/** PEM texts. With a CA every client has to show a certificate that it signed. */
export interface ControlTls {
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  readonly clientCa: Uint8Array | undefined;
}

export interface ControlServerOptions {
  readonly service: ControlService;
  readonly limits: ControlLimits;
  readonly tls: ControlTls | undefined;
  /** Whose word counts for where a request comes from. */
  readonly proxies: TrustedProxies;
}

const headerBytesMax = 16 * 1024;
const headersTimeoutMs = 10_000;
const idleTimeoutMs = 30_000;

export class ControlServer {
  readonly #server: Server;
  readonly #service: ControlService;
  readonly #proxies: TrustedProxies;
  #open = 0;
  #isClosing = false;
  #onEmpty: (() => void) | undefined;

  constructor({ service, limits, tls, proxies }: ControlServerOptions) {
    this.#service = service;
    this.#proxies = proxies;
    const timing = {
      maxHeaderSize: headerBytesMax,
      headersTimeout: headersTimeoutMs,
      requestTimeout: limits.receiveTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      connectionsCheckingInterval: Math.min(5000, limits.receiveTimeoutMs),
    };
    this.#server =
      tls === undefined
        ? createServer(timing)
        : createTlsServer({
            ...timing,
            cert: Buffer.from(tls.certificate),
            key: Buffer.from(tls.key),
            minVersion: 'TLSv1.2',
            handshakeTimeout: headersTimeoutMs,
            ...(tls.clientCa !== undefined && {
              ca: Buffer.from(tls.clientCa),
              requestCert: true,
              rejectUnauthorized: true,
            }),
          });
    this.#server.maxConnections = limits.connectionsMax;
    this.#server.on('request', (request, response) => {
      this.#take({ request, response, expectsContinue: false });
    });
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#take({ request, response, expectsContinue: true });
    });
  }

  /** Resolves with the port that is listened on (the one asked for, or a free one for 0). */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => {
        reject(
          new Error(
            `The control port ${port} on ${host} is taken or not allowed, or ${host} is no address of this machine. Choose others with --control-port and --control-host.`,
            { cause: error },
          ),
        );
      });
      this.#server.listen({ host: host.replace(/^\[|\]$/g, ''), port, exclusive: true }, () => {
        this.#server.on('error', () => undefined);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no new connections; resolves when every request was answered, or after the grace period. Milliseconds. */
  async drain(graceMs: number): Promise<void> {
    this.#isClosing = true;
    this.#server.close();
    this.#server.closeIdleConnections();
    if (this.#open === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, graceMs);
    });
    clearTimeout(timer);
  }

  /** Ends every connection. */
  close(): void {
    this.#isClosing = true;
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take(parts: ExchangeParts): void {
    const call = callOf(parts, this.#proxies);
    if (call === undefined) {
      writeAnswer(parts, answerOf(refuse('NOT_FOUND', 'The target of the request is no path.')), true);
      return;
    }
    if (this.#isClosing) {
      writeAnswer(
        parts,
        answerOf(refuse('SHUTTING_DOWN', 'The node stops and takes no more requests.')),
        true,
      );
      return;
    }
    this.#open += 1;
    parts.response.once('close', () => {
      this.#open -= 1;
      if (this.#open === 0) this.#onEmpty?.();
    });
    void this.#service.handle(call).then((answer) => {
      writeAnswer(parts, answer, this.#isClosing);
    });
  }
}
