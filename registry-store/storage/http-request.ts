/**
 * One GET to a static file server, with everything refused that such a server does not do: redirects, encodings,
 * answers to questions that were not asked. What the bytes are worth is decided above; here it only matters that they
 * are plain bytes of the file that was asked for, that they come at all, and that they end.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { refusal, systemCode } from '../store-error.ts';
import { SourceUnreachable } from './store-source.ts';
import { type TransferLimits, TransferWatch } from './transfer-limits.ts';

export interface HttpAnswer {
  readonly status: 200 | 206 | 304;
  readonly headers: IncomingMessage['headers'];
  readonly body: AsyncGenerator<Uint8Array, void, undefined>;
  /** Lets go of a body that nobody began to read; one that was begun lets go by itself. */
  readonly discard: () => void;
}

export interface HttpClientOptions {
  /** Certificates to trust instead of those of the system, PEM. */
  readonly ca?: string;
  readonly limits: TransferLimits;
  /** Requests at a time; further ones wait. */
  readonly connectionsMax: number;
}

/** The longest wait a server may ask for, milliseconds; a larger one is a mistake that would take the node off. */
const retryAfterMsMax = 60 * 60_000;

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  readonly #open = new Set<ClientRequest>();
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    const pool = { keepAlive: true, maxSockets: options.connectionsMax, scheduling: 'lifo' } as const;
    // Said explicitly, because an environment variable could turn verification off otherwise.
    const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
    const ca = options.ca === undefined ? {} : { ca: options.ca };
    this.#agents = { http: new HttpAgent(pool), https: new HttpsAgent({ ...pool, ...tls, ...ca }) };
  }

  /** Undefined when the server does not have the file. Rejects with SOURCE_UNREACHABLE or STORE_REFUSED. */
  async get(url: URL, headers: Readonly<Record<string, string>>): Promise<HttpAnswer | undefined> {
    const path = url.pathname;
    const exchange = await this.#exchange(url, headers);
    const { response } = exchange;
    const discard = (): void => {
      discardBody(exchange);
    };
    try {
      const status = checkStatus(response, path);
      if (status !== undefined) {
        checkEncoding(response, path);
        return { status, headers: response.headers, body: bodyOf(exchange, path), discard };
      }
    } catch (error) {
      discard();
      throw error;
    }
    discard();
    return undefined;
  }

  close(): void {
    this.#closed = true;
    for (const request of this.#open) request.destroy();
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  async #exchange(url: URL, headers: Readonly<Record<string, string>>): Promise<Exchange> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new SourceUnreachable('The store was closed.');
      const sent = this.#send(url, headers);
      try {
        return await sent.exchange;
      } catch (error) {
        // A server may close a connection that was kept just when it is used again; that is nobody's fault.
        if (attempt === 1 && sent.request.reusedSocket && systemCode(error) === 'ECONNRESET') continue;
        throw unreachable(url.host, error);
      }
    }
  }

  #send(
    url: URL,
    headers: Readonly<Record<string, string>>,
  ): { readonly request: ClientRequest; readonly exchange: Promise<Exchange> } {
    const isTls = url.protocol === 'https:';
    const options = {
      agent: isTls ? this.#agents.https : this.#agents.http,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'tidegate', ...headers },
    };
    const request = isTls ? httpsRequest(url, options) : httpRequest(url, options);
    this.#open.add(request);
    let reason: string | undefined;
    const watch = new TransferWatch(this.#options.limits, (why) => {
      reason = why;
      request.destroy(new Error(why));
    });
    request.once('socket', (socket) => {
      if (request.reusedSocket) watch.connected();
      else
        socket.once(isTls ? 'secureConnect' : 'connect', () => {
          watch.connected();
        });
    });
    request.once('close', () => {
      watch.close();
      this.#open.delete(request);
    });
    const exchange = new Promise<Exchange>((resolve, reject) => {
      request.on('error', reject);
      request.once('response', (response) => {
        watch.moved(0);
        const drop = (): void => {
          request.destroy();
        };
        resolve({ host: url.host, response, watch, drop, reason: () => reason });
      });
    });
    request.end();
    return { request, exchange };
  }
}

interface Exchange {
  readonly host: string;
  readonly response: IncomingMessage;
  readonly watch: TransferWatch;
  readonly drop: () => void;
  /** Why the watch gave up, when it did. */
  readonly reason: () => string | undefined;
}

async function* bodyOf(exchange: Exchange, path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const { host, response, watch, drop, reason } = exchange;
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      watch.moved(piece.byteLength);
      yield piece;
    }
    if (!response.complete) throw new Error('the connection ended early');
  } catch (error) {
    const why = reason();
    throw unreachable(host, why === undefined ? error : new Error(why), `in the middle of ${path}`);
  } finally {
    watch.close();
    // A connection with an unread rest cannot be used for another request.
    if (!response.readableEnded) drop();
  }
}

/** A short rest is read, so that the connection can serve the next request; a long one is not worth that. */
const discardedBytesMax = 64 * 1024;

function discardBody({ response, drop }: Exchange): void {
  const announced = Number(
    response.headers['content-length'] ?? (response.statusCode === 304 ? 0 : Infinity),
  );
  if (announced <= discardedBytesMax) response.resume();
  else drop();
}

/** 403 counts as not there: buckets say so for names that do not exist to those who may not list them. */
const absent: ReadonlySet<number> = new Set([403, 404, 410]);

function checkStatus(response: IncomingMessage, path: string): HttpAnswer['status'] | undefined {
  const { statusCode: status = 0, headers } = response;
  if (status === 200 || status === 206 || status === 304) return status;
  if (absent.has(status)) return undefined;
  if (status >= 300 && status < 400) {
    const to = headers.location === undefined ? '' : ` to ${headers.location.slice(0, 200)}`;
    throw refusal(
      'source-answer',
      `${path} is answered with a redirect${to}; name the address where the store really is.`,
    );
  }
  if (status >= 500 || status === 429 || status === 408) {
    const retryAfterMs = retryAfter(headers['retry-after']);
    throw new SourceUnreachable(
      `The server of the store answers ${status} for ${path}.`,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
  }
  throw refusal('source-answer', `${path} is answered with status ${status}.`);
}

/** What an encoding unpacks to is not what was measured on the way, so a small answer could become an endless one. */
function checkEncoding({ headers }: IncomingMessage, path: string): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw refusal(
    'source-answer',
    `${path} comes with the content encoding ${encoding.slice(0, 40)}, which was not asked for.`,
  );
}

/** Seconds or a date, as HTTP has it; undefined when it is neither. */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, retryAfterMsMax) : undefined;
}

function unreachable(host: string, error: unknown, where?: string): SourceUnreachable {
  const detail = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
  const hint = tlsHints.has(detail)
    ? ' Its certificate is not trusted here: name the file with the authority that signed it (--ca-file).'
    : '';
  return new SourceUnreachable(
    `The store at ${host} cannot be reached${where === undefined ? '' : ` ${where}`} (${detail}).${hint}`,
    { cause: error },
  );
}

const tlsHints: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
