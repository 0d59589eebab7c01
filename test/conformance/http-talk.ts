/**
 * One HTTP request and its answer, and nothing in between: no retries, no redirects, a connection of its own, so that a
 * check sees what the server did with exactly this request. Every answer has a time limit and a size limit.
 */
import { request as plainRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'PUT';
  /** Absolute, for example `/v2/health/live`; the base URL goes in front. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** For a request that no server can answer; the default is that of all. */
  readonly timeoutMs?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

export interface Exchange {
  readonly request: HttpRequest;
  readonly answer: HttpAnswer;
}

export interface TalkOptions {
  readonly baseUrl: URL;
  /** From the first byte sent to the last byte received. */
  readonly timeoutMs: number;
  /** Sent with every request, for example what a proxy asks for; never shown in a report. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends what is in flight. */
  readonly signal: AbortSignal;
}

/** Answers of generated requests are small; a server that sends more than this is stuck in a loop. */
const answerBytesMax = 64 * 1024 * 1024;

/** A wait is counted in so many: where this process stood still, one of them passes, and what came meanwhile is read. */
const waitPieces = 10;

/** The server could not be reached, was too slow, or ended the connection. */
export class NoAnswer extends Error {
  readonly request: HttpRequest;

  constructor(request: HttpRequest, reason: string) {
    super(reason);
    this.name = 'NoAnswer';
    this.request = request;
  }
}

export class HttpTalk {
  readonly #options: TalkOptions;
  readonly #pathPrefix: string;

  constructor(options: TalkOptions) {
    this.#options = options;
    this.#pathPrefix = options.baseUrl.pathname.replace(/\/+$/, '');
  }

  /** Throws `NoAnswer` when there is none. */
  send(request: HttpRequest): Promise<Exchange> {
    const { signal } = this.#options;
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    return new Promise((resolve, reject) => {
      const outgoing = this.#open(request);
      const give = (reason: string): void => {
        reject(new NoAnswer(request, reason));
        outgoing.destroy();
      };
      let pieces = 0;
      const timer = setInterval(() => {
        pieces += 1;
        if (pieces === waitPieces) give(`no complete answer within ${timeoutMs} ms`);
      }, timeoutMs / waitPieces);
      const interrupt = (): void => {
        give('interrupted');
      };
      signal.addEventListener('abort', interrupt, { once: true });
      outgoing.once('close', () => {
        clearInterval(timer);
        signal.removeEventListener('abort', interrupt);
        give('the connection ended before the answer was complete');
      });
      outgoing.on('error', (error) => {
        give(error.message === '' ? String((error as NodeJS.ErrnoException).code) : error.message);
      });
      outgoing.once('response', (incoming) => {
        collectAnswer(incoming, {
          give,
          settle: (answer) => {
            resolve({ request, answer });
          },
        });
      });
      if (signal.aborted) interrupt();
      else outgoing.end(request.body);
    });
  }

  #open({ method, path, headers = {}, body }: HttpRequest): ClientRequest {
    const { baseUrl } = this.#options;
    const open = baseUrl.protocol === 'https:' ? secureRequest : plainRequest;
    return open({
      host: baseUrl.hostname.replace(/^\[|\]$/g, ''),
      port: baseUrl.port,
      method,
      path: this.#pathPrefix + path,
      agent: false,
      headers: {
        ...this.#options.headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    });
  }
}

function collectAnswer(
  incoming: IncomingMessage,
  on: { readonly give: (reason: string) => void; readonly settle: (answer: HttpAnswer) => void },
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > answerBytesMax) on.give(`an answer of more than ${answerBytesMax} bytes`);
  });
  incoming.once('end', () => {
    const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => {
      return [name, Array.isArray(value) ? value.join(', ') : (value ?? '')];
    });
    on.settle({
      status: incoming.statusCode ?? 0,
      headers: new Map(headers),
      body: Buffer.concat(chunks, bytes),
    });
  });
  incoming.once('error', (error) => {
    on.give(error.message);
  });
}
