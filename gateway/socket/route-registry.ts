/**
 * Registers routes with the server library and remembers which methods a path knows, so that another method is told
 * what would work (405 with Allow) and an unknown path gets 404, both in the body format of every other error.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { ByteWriter } from '../wire/byte-writer.ts';
import { encodeError } from '../wire/error-body.ts';
import { errorTable, fail, type WireError } from '../wire/error-code.ts';
import { statusLine } from './status-line.ts';

export type Method = 'get' | 'post';
export type Handler = (res: HttpResponse, req: HttpRequest) => void;

type Headers = Readonly<Record<string, string>>;

export class RouteRegistry {
  readonly #app: TemplatedApp;
  readonly #methods = new Map<string, Set<Method>>();
  readonly #writer: ByteWriter = new ByteWriter(4096);

  constructor(app: TemplatedApp) {
    this.#app = app;
  }

  /** Adds a route, with and without a trailing slash. */
  add(method: Method, path: string, handler: Handler): void {
    for (const form of [path, `${path}/`]) {
      this.#app[method](form, handler);
      const methods = this.#methods.get(form) ?? new Set();
      this.#methods.set(form, methods.add(method));
    }
  }

  /** Answers everything that no route takes. Call once, last. */
  close(): void {
    for (const [path, methods] of this.#methods) {
      const allow = [...methods].map((method) => method.toUpperCase()).join(', ');
      this.#app.any(path, (res, req) => {
        const message = `${req.getCaseSensitiveMethod()} is not possible on this path. Use ${allow}.`;
        this.#answerAny(res, req, { error: fail('METHOD_NOT_ALLOWED', message), headers: { allow } });
      });
    }
    this.#app.any('/*', (res, req) => {
      const path = req.getUrl().slice(0, 200);
      const message = `There is nothing at ${path}. Models are under /v2/models/{model} and /predict/{model}.`;
      this.#answerAny(res, req, { error: fail('NOT_FOUND', message), headers: {} });
    });
  }

  /** Answers at once, inside a handler; a body that may follow is not read. */
  answerError(res: HttpResponse, error: WireError, headers: Headers = {}): void {
    res.end(this.#errorBody(res, error, headers));
  }

  /** The answer to HEAD has no body (RFC 9110 section 9.3.2); one would be taken for the next answer. */
  #answerAny(
    res: HttpResponse,
    req: HttpRequest,
    { error, headers }: { readonly error: WireError; readonly headers: Headers },
  ): void {
    const body = this.#errorBody(res, error, headers);
    // Given a length, the library would wait for the body.
    if (req.getMethod() === 'head') res.writeHeader('content-length', String(body.length)).endWithoutBody();
    else res.end(body);
  }

  /** Writes status and headers; the body is for the caller to send at once. */
  #errorBody(res: HttpResponse, error: WireError, headers: Headers): Uint8Array {
    this.#writer.reset();
    encodeError(error, this.#writer);
    res.writeStatus(statusLine(errorTable[error.code].status));
    for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
    res.writeHeader('content-type', 'application/json');
    return this.#writer.bytes();
  }
}

export function answerJson(res: HttpResponse, status: number, body: object): void {
  res.writeStatus(statusLine(status));
  res.writeHeader('content-type', 'application/json');
  res.end(JSON.stringify(body));
}
