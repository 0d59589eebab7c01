/**
 * One HTTP request and its answer: collects the body, hands it through the door, writes what comes back. It owns the
 * response object and is the only one to touch it; once the client is gone nobody does.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { PendingRequest, ReplySink } from '../dispatch/request-queue.ts';
import { errorTable, fail, type WireError } from '../wire/error-code.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { InferReply } from '../wire/infer-request.ts';
import type { MessageFormat } from '../wire/message-format.ts';
import { statusLine } from './status-line.ts';

export interface InferTarget {
  readonly modelName: string;
  readonly modelVersion: string | undefined;
  readonly format: MessageFormat;
  /** From the Content-Length header; undefined for a chunked body. */
  readonly declaredBytes: number | undefined;
}

export interface ExchangeServices {
  readonly bodyBytesMax: number;
  /** Shared by all exchanges: an answer is written and sent in one go. */
  readonly writer: ByteWriter;
  readonly accept: (exchange: HttpExchange, body: Uint8Array) => PendingRequest | WireError;
  readonly abandon: (pending: PendingRequest) => void;
  readonly refuse: (exchange: HttpExchange, error: WireError) => void;
}

/** Bytes are cheaper for the library than text. */
const contentTypeName = Buffer.from('content-type');

export class HttpExchange implements ReplySink {
  readonly target: InferTarget;
  readonly #res: HttpResponse;
  readonly #services: ExchangeServices;
  #pending: PendingRequest | undefined;
  /** Answered or gone: the response object is not to be touched again. */
  #over = false;
  #collected: Uint8Array | undefined;
  #collectedBytes = 0;

  constructor(res: HttpResponse, target: InferTarget, services: ExchangeServices) {
    this.#res = res;
    this.target = target;
    this.#services = services;
  }

  /** Attaches to the response, or answers at once with what the headers already show to be wrong. */
  begin(refusal: WireError | undefined): void {
    this.#res.onAborted(() => {
      this.#abort();
    });
    if (refusal !== undefined) {
      this.#services.refuse(this, refusal);
      this.#answerError(refusal, true);
      return;
    }
    if ((this.target.declaredBytes ?? 0) > this.#services.bodyBytesMax) {
      this.#refuseTooLarge();
      return;
    }
    this.#res.onData((chunk, isLast) => {
      this.#receive(new Uint8Array(chunk), isLast);
    });
  }

  reply(reply: InferReply): void {
    const { writer } = this.#services;
    writer.reset();
    this.target.format.encode(reply, writer);
    this.#send(undefined, false);
  }

  fail(error: WireError): void {
    this.#answerError(error, false);
  }

  /** The library reuses `chunk` when this returns; the usual body comes in one chunk and is read where it lies. */
  #receive(chunk: Uint8Array, isLast: boolean): void {
    if (this.#over) return;
    if (this.#collectedBytes + chunk.length > this.#services.bodyBytesMax) {
      this.#refuseTooLarge();
      return;
    }
    if (isLast && this.#collectedBytes === 0) {
      this.#submit(chunk);
      return;
    }
    this.#collect(chunk);
    if (isLast) this.#submit(this.#collected?.subarray(0, this.#collectedBytes) ?? chunk);
  }

  #collect(chunk: Uint8Array): void {
    const needed = this.#collectedBytes + chunk.length;
    if (this.#collected === undefined || this.#collected.length < needed) {
      const grown = Math.max(needed, this.target.declaredBytes ?? this.#collectedBytes * 2);
      const larger = new Uint8Array(Math.min(grown, this.#services.bodyBytesMax));
      larger.set(this.#collected?.subarray(0, this.#collectedBytes) ?? []);
      this.#collected = larger;
    }
    this.#collected.set(chunk, this.#collectedBytes);
    this.#collectedBytes = needed;
  }

  #submit(body: Uint8Array): void {
    const outcome = this.#services.accept(this, body);
    this.#collected = undefined;
    if ('code' in outcome) this.#answerError(outcome, false);
    else this.#pending = outcome;
  }

  #refuseTooLarge(): void {
    const error = fail(
      'BODY_TOO_LARGE',
      `The body is larger than ${this.#services.bodyBytesMax} bytes. Send fewer rows, or ask the operator to raise bodyBytesMax.`,
    );
    this.#services.refuse(this, error);
    // The rest of the body is still coming; the connection cannot be used for another request.
    this.#answerError(error, true);
  }

  #answerError(error: WireError, close: boolean): void {
    const { writer } = this.#services;
    writer.reset();
    this.target.format.encodeError(error, writer);
    this.#send(error, close);
  }

  #send(error: WireError | undefined, close: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const res = this.#res;
    const { contentType } = this.target.format;
    const body = this.#services.writer.bytes();
    res.cork(() => {
      if (error !== undefined) {
        res.writeStatus(statusLine(errorTable[error.code].status));
        if (errorTable[error.code].retry === 'later') res.writeHeader('retry-after', '1');
      }
      res.writeHeader(contentTypeName, contentType);
      res.end(body, close);
    });
  }

  #abort(): void {
    this.#over = true;
    this.#collected = undefined;
    if (this.#pending !== undefined) this.#services.abandon(this.#pending);
  }
}
