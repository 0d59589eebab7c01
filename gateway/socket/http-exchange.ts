/**
 * One HTTP request and its answer: collects the body, hands it through the door, writes what comes back. It owns the
 * response object and is the only one to touch it; once the client is gone nobody does.
 *
 * Invariant: it is open, for those who count, from `begin` until the socket has taken the whole answer or is gone.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { TextFormat } from '../dispatch/bodies/body-task.ts';
import type { LateAnswers } from '../dispatch/bodies/late-answer.ts';
import type { LateRequest } from '../dispatch/bodies/late-request.ts';
import type { AcceptedRequest } from '../dispatch/request-door.ts';
import type { CacheUse, ReplySink, RolloutChoice } from '../dispatch/request-queue.ts';
import type { HeaderValues } from '../route/caller.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { errorTable, fail, retryAfterSeconds, type WireError } from '../wire/error-code.ts';
import type { InferReply } from '../wire/infer-request.ts';
import type { MessageFormat } from '../wire/message-format.ts';
import { type BodyTaken, sendBody } from './answer-body.ts';
import { CollectedBody } from './collected-body.ts';
import { compressAnswer, compressedAnswerBytesMin } from './compress-answer.ts';
import { acceptedEncodings, answerEncoding, type ContentEncoding } from './content-encoding.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { BodyInflater } from './inflate-body.ts';
import type { OpenExchanges } from './open-exchanges.ts';
import type { ArrivingBody, ReceivingBytes } from './receiving-bytes.ts';
import { statusLine } from './status-line.ts';

export interface InferTarget {
  readonly modelName: string;
  readonly modelVersion: string | undefined;
  /** What the x-model-version header names, of a caller who may not choose. */
  readonly expectedVersion: string | undefined;
  /** What a rollout divides by; undefined when no source has one, and while no rollout is on. */
  readonly routingKey: string | undefined;
  /** The same from the sources that are asked after those of the body. */
  readonly lateKey: string | undefined;
  /** Headers that rules of a rollout name; undefined while no rollout is on. */
  readonly headers: HeaderValues | undefined;
  /** Who sends it, where callers are bound. */
  readonly caller: string | undefined;
  readonly format: MessageFormat;
  /** From the Inference-Header-Content-Length header: how much of the body is JSON, when tensors follow it. */
  readonly jsonBytes: number;
  /** From the x-deadline-ms header; undefined when there is none. */
  readonly dueWithinMs: number | undefined;
  /** From the Content-Length header; undefined for a chunked body. */
  readonly declaredBytes: number | undefined;
  /** What the body is compressed with. */
  readonly encoding: ContentEncoding | undefined;
  /** The Accept-Encoding header, read only when the answer is worth it. */
  readonly acceptEncoding: string;
  /** For the page that asks, if one does and may; see CrossOrigin. */
  readonly allowOrigin: string | undefined;
}

export interface ExchangeServices {
  readonly bodyBytesMax: number;
  readonly inflatedBytesMax: number;
  /** What all bodies hold together until they are whole. */
  readonly receiving: ReceivingBytes;
  /** Shared by all exchanges: an answer is written and sent in one go. */
  readonly writer: ByteWriter;
  /** Writes answers that are too large for the event loop. */
  readonly late: LateAnswers;
  readonly open: OpenExchanges;
  readonly crossOrigin: CrossOrigin;
  /** `isOwned`: nobody else uses the memory of the body any more. */
  readonly accept: (
    exchange: HttpExchange,
    body: Uint8Array,
    isOwned: boolean,
  ) => AcceptedRequest | LateRequest | WireError;
  readonly abandon: (pending: AcceptedRequest | LateRequest) => void;
  readonly refuse: (exchange: HttpExchange, error: WireError) => void;
  /** Logs what is no fault of the caller, and says what he is told. */
  readonly reportFault: (fault: unknown) => WireError;
}

/** Bytes are cheaper for the library than text. */
const contentTypeName = Buffer.from('content-type');
const jsonBytesName = Buffer.from('inference-header-content-length');
const modelVersionName = Buffer.from('x-model-version');
const rolloutIdName = Buffer.from('x-rollout-id');
const variantName = Buffer.from('x-variant');
const cacheUseName = Buffer.from('x-cache');
const octetStream = Buffer.from('application/octet-stream');

export class HttpExchange implements ReplySink, BodyTaken {
  readonly target: InferTarget;
  /** Began before the gateway shuts down, so that it is finished even if its body comes later. */
  readonly held: boolean;
  readonly #res: HttpResponse;
  readonly #services: ExchangeServices;
  #pending: AcceptedRequest | LateRequest | undefined;
  /** Answered or gone: the response object is not to be touched again. */
  #over = false;
  /** The client is still sending its body. */
  #receiving = true;
  #collected: CollectedBody | undefined;
  #inflater: BodyInflater | undefined;
  #receivedBytes = 0;
  /** Set once some of the body is here without the rest. */
  #arriving: ArrivingBody | undefined;
  /** Set when the answer is JSON with tensors behind it. */
  #jsonBytes: number | undefined;
  /** Set while a rollout is on: the answer says which version it came from and why. */
  #choice: RolloutChoice | undefined;
  /** Set while answers of the model are kept. */
  #cacheUse: CacheUse | undefined;

  constructor(res: HttpResponse, target: InferTarget, services: ExchangeServices) {
    this.#res = res;
    this.target = target;
    this.#services = services;
    this.held = !services.open.draining;
  }

  /** Attaches to the response, or answers at once with what the headers already show to be wrong. */
  begin(refusal: WireError | undefined): void {
    this.#services.open.opened();
    this.#res.onAborted(() => {
      this.#abort();
    });
    if (refusal !== undefined) {
      this.#refuse(refusal);
      return;
    }
    if ((this.target.declaredBytes ?? 0) > this.#services.bodyBytesMax) {
      this.#refuse(this.#tooLarge());
      return;
    }
    this.#res.onData((chunk, isLast) => {
      this.#receive(new Uint8Array(chunk), isLast);
    });
  }

  reply(reply: InferReply): void {
    const { late } = this.#services;
    const { protocol } = this.target.format;
    if (protocol !== 'oip-msgpack' && late.takes(reply)) void this.#replyLate(protocol, reply);
    else this.#write(reply);
  }

  /** It counts as answered already: what goes wrong from here on is a fault of the gateway. */
  async #replyLate(protocol: TextFormat, reply: InferReply): Promise<void> {
    const { late, reportFault } = this.#services;
    try {
      const outcome = await late.write(protocol, reply);
      if ('columns' in outcome) this.#write(outcome);
      else this.#answer(outcome.body, outcome.jsonBytes);
    } catch (fault) {
      this.#answerError(reportFault(fault), false);
    }
  }

  #write(reply: InferReply): void {
    const { writer } = this.#services;
    writer.reset();
    const jsonBytes = this.target.format.encode(reply, writer);
    this.#answer(writer.bytes(), jsonBytes);
  }

  /** `jsonBytes` is set when tensors stand behind the JSON. */
  #answer(body: Uint8Array, jsonBytes: number | undefined): void {
    this.#jsonBytes = jsonBytes;
    const isText = this.target.format.protocol !== 'oip-msgpack' && this.#jsonBytes === undefined;
    if (isText && body.length >= compressedAnswerBytesMin) this.#sendLarge(body);
    else this.#send(body, undefined, false);
  }

  fail(error: WireError): void {
    this.#answerError(error, false);
  }

  routed(choice: RolloutChoice): void {
    this.#choice = choice;
  }

  cached(use: CacheUse): void {
    this.#cacheUse = use;
  }

  bodyTaken(): void {
    this.#services.open.ended();
  }

  /** The library reuses `chunk` when this returns; the usual body comes in one chunk and is read where it lies. */
  #receive(chunk: Uint8Array, isLast: boolean): void {
    if (this.#over) return;
    if (isLast) this.#receiving = false;
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.#services.bodyBytesMax) {
      this.#refuse(this.#tooLarge());
      return;
    }
    const isWhole = isLast && this.#receivedBytes === chunk.length;
    const refusal = isWhole ? undefined : this.#hold(chunk.length);
    if (refusal !== undefined) this.#refuse(refusal);
    else if (this.target.encoding !== undefined) this.#inflate(this.target.encoding, chunk, isLast);
    else if (isWhole) this.#submit(chunk, false);
    else this.#collect(chunk, isLast);
  }

  #collect(chunk: Uint8Array, isLast: boolean): void {
    const { bodyBytesMax } = this.#services;
    const collected = (this.#collected ??= new CollectedBody(bodyBytesMax, this.target.declaredBytes));
    collected.add(chunk);
    if (isLast) this.#submit(collected.bytes(), true);
  }

  #inflate(encoding: ContentEncoding, chunk: Uint8Array, isLast: boolean): void {
    this.#inflater ??= new BodyInflater({
      encoding,
      bytesMax: this.#services.inflatedBytesMax,
      hold: (bytes) => this.#hold(bytes),
      done: (body) => {
        if (this.#over) return;
        if (body.ok) this.#submit(body.value, true);
        else this.#refuse(body);
      },
    });
    this.#inflater.write(chunk, isLast);
  }

  /** Undefined when there is room for so many bytes of a body that is not whole. */
  #hold(bytes: number): WireError | undefined {
    this.#arriving ??= { caller: this.target.caller, rows: 0, bytes: 0 };
    return this.#services.receiving.hold(this.#arriving, bytes);
  }

  /** The body is whole, or nobody wants it any more. */
  #letGo(): void {
    this.#collected = undefined;
    this.#inflater = undefined;
    if (this.#arriving !== undefined) this.#services.receiving.letGo(this.#arriving);
  }

  #submit(body: Uint8Array, isOwned: boolean): void {
    // Whoever takes the request counts what it holds from here on.
    this.#letGo();
    const outcome = this.#services.accept(this, body, isOwned);
    if ('code' in outcome) this.#answerError(outcome, false);
    else this.#pending = outcome;
  }

  #tooLarge(): WireError {
    return fail(
      'BODY_TOO_LARGE',
      `The body is larger than ${this.#services.bodyBytesMax} bytes. Send fewer rows, or ask the operator to raise bodyBytesMax.`,
    );
  }

  /** Turns the request away before it came to the door. */
  #refuse(error: WireError): void {
    this.#services.refuse(this, error);
    this.#inflater?.cancel();
    this.#letGo();
    // While the rest of the body is still coming, the connection cannot be used for another request.
    this.#answerError(error, this.#receiving);
  }

  #answerError(error: WireError, close: boolean): void {
    const { writer } = this.#services;
    writer.reset();
    this.#jsonBytes = undefined;
    this.target.format.encodeError(error, writer);
    this.#send(writer.bytes(), error, close);
  }

  /** An answer that is worth compressing, if the client wants that. */
  #sendLarge(body: Uint8Array): void {
    const encoding = answerEncoding(this.target.acceptEncoding);
    if (encoding === undefined) {
      this.#sendNegotiated(body, undefined);
      return;
    }
    // The writer's memory is needed for other answers before this one is compressed.
    const whole = body.slice();
    compressAnswer(whole, encoding, (compressed) => {
      if (compressed === undefined) this.#sendNegotiated(whole, undefined);
      else this.#sendNegotiated(compressed, encoding);
    });
  }

  #sendNegotiated(body: Uint8Array, encoding: ContentEncoding | undefined): void {
    if (this.#over) return;
    this.#res.cork(() => {
      this.#res.writeHeader('vary', 'accept-encoding');
      if (encoding !== undefined) this.#res.writeHeader('content-encoding', encoding);
      this.#send(body, undefined, false);
    });
  }

  #send(body: Uint8Array, error: WireError | undefined, close: boolean): void {
    if (this.#over) return;
    this.#over = true;
    const res = this.#res;
    const { target } = this;
    const { crossOrigin, open } = this.#services;
    res.cork(() => {
      if (error !== undefined) this.#writeErrorHead(error);
      const jsonBytes = this.#jsonBytes;
      res.writeHeader(contentTypeName, jsonBytes === undefined ? target.format.contentType : octetStream);
      if (jsonBytes !== undefined) res.writeHeader(jsonBytesName, String(jsonBytes));
      if (this.#choice !== undefined) this.#writeChoice(this.#choice);
      if (this.#cacheUse !== undefined) res.writeHeader(cacheUseName, this.#cacheUse);
      if (crossOrigin.isConfigured) crossOrigin.write(res, target.allowOrigin);
      sendBody(res, body, { end: close ? 'yes' : open.parting ? 'if small' : 'no', owner: this });
    });
  }

  #writeChoice({ id, variant, modelVersion }: RolloutChoice): void {
    const res = this.#res;
    res.writeHeader(modelVersionName, modelVersion);
    res.writeHeader(rolloutIdName, id);
    res.writeHeader(variantName, variant);
  }

  #writeErrorHead(error: WireError): void {
    const { code } = error;
    this.#res.writeStatus(statusLine(errorTable[code].status));
    const retryAfter = retryAfterSeconds(error);
    if (retryAfter !== undefined) this.#res.writeHeader('retry-after', retryAfter);
    if (code === 'UNSUPPORTED_ENCODING') this.#res.writeHeader('accept-encoding', acceptedEncodings);
  }

  #abort(): void {
    this.#services.open.ended();
    this.#over = true;
    this.#inflater?.cancel();
    this.#letGo();
    if (this.#pending !== undefined) this.#services.abandon(this.#pending);
  }
}
