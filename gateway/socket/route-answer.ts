/**
 * One answer of a route that tells or changes something, as opposed to running a model: JSON, text or an error, now or
 * later, with what the request's headers ask of any answer (no body for HEAD, compression, CORS). It owns the response
 * object. Everything it needs of the request it reads when it is made, because the request is gone when the handler
 * returns.
 *
 * Invariant: it is open, for those who count, until the socket has taken the whole answer or is gone.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { ByteWriter } from '../wire/byte-writer.ts';
import { encodeError } from '../wire/error-body.ts';
import { errorTable, retryAfterSeconds, type WireError } from '../wire/error-code.ts';
import { type BodyTaken, sendBody } from './answer-body.ts';
import { compressAnswer, compressedAnswerBytesMin } from './compress-answer.ts';
import { acceptedEncodings, answerEncoding } from './content-encoding.ts';
import type { CrossOrigin } from './cross-origin.ts';
import type { OpenExchanges } from './open-exchanges.ts';
import { statusLine } from './status-line.ts';

export type Headers = Readonly<Record<string, string>>;

export interface AnswerServices {
  readonly open: OpenExchanges;
  readonly crossOrigin: CrossOrigin;
}

interface Content {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

const jsonHeaders = { 'content-type': 'application/json' };
const text = new TextEncoder();

export class RouteAnswer implements BodyTaken {
  readonly #res: HttpResponse;
  readonly #services: AnswerServices;
  /** As it was sent: the library's own reading of it changes it. */
  readonly method: string;
  readonly #bodiless: boolean;
  readonly #acceptEncoding: string;
  readonly #allowOrigin: string | undefined;
  /** What changes something must not act on it; see CrossOrigin. */
  readonly isForeign: boolean;
  /** Answered, or the client is gone: the response object is not to be touched again. */
  #over = false;
  #onGone: (() => void) | undefined;

  constructor(res: HttpResponse, req: HttpRequest, services: AnswerServices) {
    this.#res = res;
    this.#services = services;
    this.method = req.getCaseSensitiveMethod();
    this.#bodiless = this.method === 'HEAD';
    this.#acceptEncoding = req.getHeader('accept-encoding');
    this.#allowOrigin = services.crossOrigin.allows(req.getHeader('origin'));
    this.isForeign = services.crossOrigin.isForeign(req);
    services.open.opened();
    res.onAborted(() => {
      this.#over = true;
      services.open.ended();
      this.#onGone?.();
    });
  }

  get isOver(): boolean {
    return this.#over;
  }

  json(status: number, body: unknown, headers: Headers = {}): void {
    this.#send({
      status,
      headers: { ...headers, ...jsonHeaders },
      body: text.encode(JSON.stringify(body)),
    });
  }

  text(contentType: string, body: string, headers: Headers = {}): void {
    this.#send({
      status: 200,
      headers: { ...headers, 'content-type': contentType },
      body: text.encode(body),
    });
  }

  error(error: WireError, headers: Headers = {}): void {
    const writer = new ByteWriter(1024);
    encodeError(error, writer);
    const retryAfter = retryAfterSeconds(error);
    this.#send({
      status: errorTable[error.code].status,
      headers: {
        ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
        ...(error.code === 'UNSUPPORTED_ENCODING' ? { 'accept-encoding': acceptedEncodings } : {}),
        ...headers,
        ...jsonHeaders,
      },
      body: writer.bytes(),
    });
  }

  /** 200 without a body, as some endpoints of the protocol answer. */
  empty(headers: Headers = {}): void {
    this.#send({ status: 200, headers, body: new Uint8Array() });
  }

  noContent(headers: Headers): void {
    if (this.#over) return;
    this.#over = true;
    this.#res.cork(() => {
      this.#writeHead(204, headers);
      this.#res.endWithoutBody();
    });
    this.bodyTaken();
  }

  /** Takes the body of the request; call it inside the handler. `gone` is told when the client leaves before the answer. */
  receive(take: (chunk: Uint8Array, isLast: boolean) => void, gone: () => void): void {
    this.#onGone = gone;
    this.#res.onData((chunk, isLast) => {
      if (!this.#over) take(new Uint8Array(chunk), isLast);
    });
  }

  bodyTaken(): void {
    this.#services.open.ended();
  }

  /** HEAD is answered with the length of the body as it is, whatever GET would compress it to. */
  #send(content: Content): void {
    if (this.#over) return;
    if (content.body.length < compressedAnswerBytesMin) {
      this.#write(content);
      return;
    }
    const negotiated = { ...content, headers: { ...content.headers, vary: 'Accept-Encoding' } };
    const encoding = this.#bodiless ? undefined : answerEncoding(this.#acceptEncoding);
    if (encoding === undefined) {
      this.#write(negotiated);
      return;
    }
    compressAnswer(content.body, encoding, (compressed) => {
      if (compressed === undefined) this.#write(negotiated);
      else {
        const headers = { ...negotiated.headers, 'content-encoding': encoding };
        this.#write({ ...negotiated, headers, body: compressed });
      }
    });
  }

  #write({ status, headers, body }: Content): void {
    if (this.#over) return;
    this.#over = true;
    this.#res.cork(() => {
      this.#writeHead(status, headers);
      if (this.#bodiless) {
        // Given a length, the library would wait for the body; as a header it is only told.
        this.#res.writeHeader('content-length', String(body.length)).endWithoutBody();
        this.bodyTaken();
      } else {
        const end = this.#services.open.parting ? 'if small' : 'no';
        sendBody(this.#res, body, { end, owner: this });
      }
    });
  }

  #writeHead(status: number, headers: Headers): void {
    this.#res.writeStatus(statusLine(status));
    for (const [name, value] of Object.entries(headers)) this.#res.writeHeader(name, value);
    const { crossOrigin } = this.#services;
    if (crossOrigin.isConfigured) crossOrigin.write(this.#res, this.#allowOrigin);
  }
}
