/**
 * One TCP connection to the gateway that speaks HTTP as raw bytes: tests decide every byte that goes out, and see how
 * each answer is framed. It corrects nothing and retries nothing.
 */
import { connect, type Socket } from 'node:net';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { checkContract } from './contract.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface RequestParts {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A well-formed request; Content-Length is added where there is a body, unless the headers have one. */
export function requestBytes({ method = 'GET', path, headers = {}, body }: RequestParts): Buffer {
  const content = body === undefined ? undefined : Buffer.from(body);
  const all = {
    host: 'gateway',
    ...(content === undefined ? {} : { 'content-length': String(content.length) }),
    ...headers,
  };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const start = Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n`, 'latin1');
  return content === undefined ? start : Buffer.concat([start, content]);
}

interface Waiting {
  readonly settle: (answer: HttpAnswer | undefined) => void;
  /** The answer to HEAD has no body whatever its headers say. */
  readonly bodiless: boolean;
}

export class HttpConnection {
  readonly #socket: Socket;
  readonly #port: number;
  readonly #waiting: Waiting[] = [];
  #received: Buffer = Buffer.alloc(0);
  #over = false;
  /** Resolves when the connection is over, whoever ended it and however. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, port: number) {
    this.#socket = socket;
    this.#port = port;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#settleComplete();
    });
    // A reset is one of the ways to refuse; 'close' follows.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#over = true;
        this.#settleComplete();
        resolve();
      });
    });
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new HttpConnection(socket, port));
      });
    });
  }

  /** Bytes received and not yet part of an answer. */
  get unread(): Buffer {
    return this.#received;
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** The next answer in the order of arrival; undefined when the connection ended without one. */
  next({ bodiless = false }: { readonly bodiless?: boolean } = {}): Promise<HttpAnswer | undefined> {
    return new Promise((settle) => {
      this.#waiting.push({ settle, bodiless });
      this.#settleComplete();
    });
  }

  /**
   * Sends a request and gives its answer; throws when the connection ends instead, and when the answer is not as the
   * gateway's own description says.
   */
  async exchange(parts: RequestParts): Promise<HttpAnswer> {
    this.write(requestBytes(parts));
    const answer = await this.next({ bodiless: parts.method === 'HEAD' });
    if (answer === undefined) throw new Error(`the connection ended before ${parts.path} was answered`);
    await checkContract(this.#port, {
      method: parts.method ?? 'GET',
      path: parts.path,
      status: answer.status,
      contentType: answer.headers.get('content-type'),
      body: decodedBody(answer),
    });
    return answer;
  }

  /** Sends what is left and then the end: the gateway can still answer. */
  finish(): void {
    this.#socket.end();
  }

  /** Resets the connection at once, as a client that crashed. */
  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  #settleComplete(): void {
    for (;;) {
      const waiting = this.#waiting[0];
      if (waiting === undefined) return;
      const parsed = parseAnswer(this.#received, { over: this.#over, bodiless: waiting.bodiless });
      if (parsed === undefined && !this.#over) return;
      this.#waiting.shift();
      if (parsed !== undefined) this.#received = this.#received.subarray(parsed.bytes);
      waiting.settle(parsed?.answer);
    }
  }
}

/** Undefined while the answer is not complete. */
function parseAnswer(
  bytes: Buffer,
  { over, bodiless }: { readonly over: boolean; readonly bodiless: boolean },
): { readonly answer: HttpAnswer; readonly bytes: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1];
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const start = headEnd + 4;
  const isBodiless = bodiless || status === '204';
  const end = start + (isBodiless ? 0 : bodyLength(headers, over ? bytes.length - start : undefined));
  if (Number.isNaN(end) || end > bytes.length) return undefined;
  return { answer: { status: Number(status), headers, body: bytes.subarray(start, end) }, bytes: end };
}

/** The body without its content encoding. */
export function decodedBody({ headers, body }: HttpAnswer): Buffer {
  switch (headers.get('content-encoding')) {
    case undefined:
      return body;
    case 'gzip':
      return gunzipSync(body);
    case 'deflate':
      return inflateSync(body);
    case 'br':
      return brotliDecompressSync(body);
    default:
      throw new Error(`unknown content encoding ${headers.get('content-encoding')}`);
  }
}

/** NaN while it is not known: without a length the body ends with the connection. */
function bodyLength(headers: ReadonlyMap<string, string>, untilClose: number | undefined): number {
  const declared = headers.get('content-length');
  if (declared !== undefined) return Number(declared);
  return untilClose ?? NaN;
}
