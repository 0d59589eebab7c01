/** One HTTP exchange as bytes and headers, in each of the encodings; errors of any server as a TidegateError. */
import { cacheUseOf, InferResult } from '../infer-result.ts';
import { TidegateError } from '../tidegate-error.ts';
import { decodeBinaryBody, encodeBinaryBody, headerLengthName } from './binary-body.ts';
import { encodeJsonBody, type JsonFields, parseJsonObject } from './json-message.ts';
import { encodeMsgpackBody, isMap, resultOfMsgpack } from './msgpack-message.ts';
import { readMsgpack } from './msgpack-reader.ts';
import type { RequestFields } from './request-fields.ts';
import { errorOf } from './stream-frame.ts';

/**
 * `binary`: the binary tensor extension. `msgpack`: what the WebSocket speaks; Tidegate only. `json`: for servers
 * that have neither, and for people who read along.
 */
export type HttpEncoding = 'binary' | 'msgpack' | 'json';

export interface HttpMessage {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** The part of `Headers` that is read here. */
export interface HeaderLookup {
  get(name: string): string | null;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HeaderLookup;
  readonly body: Uint8Array;
}

export function encodeHttpRequest(fields: RequestFields, encoding: HttpEncoding): HttpMessage {
  switch (encoding) {
    case 'binary': {
      const { body, headerBytes } = encodeBinaryBody(fields);
      return {
        body,
        headers: { 'Content-Type': 'application/octet-stream', [headerLengthName]: String(headerBytes) },
      };
    }
    case 'msgpack':
      return { body: encodeMsgpackBody(fields), headers: { 'Content-Type': 'application/msgpack' } };
    case 'json':
      return { body: encodeJsonBody(fields), headers: { 'Content-Type': 'application/json' } };
  }
}

/** The answer to an inference request, whatever it was asked in. Throws INVALID_RESPONSE. */
export function decodeHttpAnswer(answer: HttpAnswer): InferResult {
  const { model, version, outputs } = decodeBody(answer);
  return new InferResult({ model, version, outputs, cache: cacheUseOf(answer.headers.get('x-cache')) });
}

function decodeBody({ headers, body }: HttpAnswer): InferResult {
  const type = headers.get('content-type') ?? '';
  if (type.includes('msgpack')) {
    const message = readMsgpack(body);
    if (isMap(message)) return resultOfMsgpack(message);
    throw new TidegateError('INVALID_RESPONSE', 'The answer is no msgpack map.');
  }
  const headerLength = headers.get(headerLengthName);
  if (headerLength === null && type.includes('octet-stream')) {
    throw new TidegateError(
      'INVALID_RESPONSE',
      `The answer is binary and ${headerLengthName} cannot be read. Let the server name it in Access-Control-Expose-Headers.`,
    );
  }
  return decodeBinaryBody(body, headerLength);
}

/** An answer with a status from 400 on. `nowMs` is the time of day, for a Retry-After that is a date. */
export function httpError(answer: HttpAnswer, nowMs: number): TidegateError {
  const { status, headers } = answer;
  const told = errorFields(answer);
  return new TidegateError(told?.code ?? 'HTTP_ERROR', told?.message ?? `The server answered ${status}.`, {
    status,
    retryAfterMs: told?.retryAfterMs ?? retryAfterMs(headers.get('retry-after'), nowMs),
  });
}

interface ToldError {
  readonly code: string | undefined;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** What the body says; undefined when it is the page of some proxy. */
function errorFields({ status, headers, body }: HttpAnswer): ToldError | undefined {
  try {
    if ((headers.get('content-type') ?? '').includes('msgpack')) {
      const message = readMsgpack(body);
      return isMap(message) ? errorOf(message, status) : undefined;
    }
    const fields: JsonFields = parseJsonObject(new TextDecoder().decode(body));
    const { error, code, retry_after_ms: afterMs } = fields;
    if (typeof error !== 'string') return undefined;
    return {
      code: typeof code === 'string' ? code : undefined,
      message: error,
      retryAfterMs: typeof afterMs === 'number' ? afterMs : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function retryAfterMs(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
