/**
 * The closed list of errors a client can meet, and the one table from a code to everything a transport says about it.
 * Codes are API: never reworded, only added. The message of an error says what is wrong and what to do; it never
 * carries a path, a stack or a key.
 */

export interface ErrorRow {
  readonly status: number;
  /** Whether the same request may succeed later without a change to it. */
  readonly retry: 'never' | 'later';
  /** One sentence for the table in the documentation. */
  readonly meaning: string;
}

export type ErrorCode =
  | 'MALFORMED_JSON'
  | 'MALFORMED_MSGPACK'
  | 'INVALID_REQUEST'
  | 'EMPTY_BODY'
  | 'UNKNOWN_INPUT'
  | 'MISSING_INPUT'
  | 'MISSING_ROUTING_KEY'
  | 'UNKNOWN_OUTPUT'
  | 'DATATYPE_MISMATCH'
  | 'SHAPE_MISMATCH'
  | 'ELEMENT_COUNT_MISMATCH'
  | 'BINARY_SIZE_MISMATCH'
  | 'UNSUPPORTED_PARAMETER'
  | 'INVALID_ELEMENT'
  | 'TOO_MANY_ROWS'
  | 'SEQUENCE_REQUIRED'
  | 'SEQUENCE_LOST'
  | 'SEQUENCE_INTERRUPTED'
  | 'TOO_MANY_SEQUENCES'
  | 'NOT_FOUND'
  | 'UNKNOWN_MODEL'
  | 'UNKNOWN_VERSION'
  | 'METHOD_NOT_ALLOWED'
  | 'ORIGIN_NOT_ALLOWED'
  | 'FORCE_NOT_ALLOWED'
  | 'STORE_READ_ONLY'
  | 'STORE_CHANGE_REFUSED'
  | 'NOT_SUPPORTED'
  | 'BODY_TOO_LARGE'
  | 'INFLATED_TOO_LARGE'
  | 'MALFORMED_COMPRESSION'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'UNSUPPORTED_ENCODING'
  | 'UPGRADE_REQUIRED'
  | 'UNSUPPORTED_SUBPROTOCOL'
  | 'CANCELLED'
  | 'DEADLINE_EXCEEDED'
  | 'QUEUE_FULL'
  | 'OVERLOADED'
  | 'CALLER_LIMIT'
  | 'SLOW_READER'
  | 'MODEL_NOT_READY'
  | 'MODEL_COLD'
  | 'SHUTTING_DOWN'
  | 'MODEL_FAILED'
  | 'WORKER_LOST'
  | 'MODEL_QUARANTINED'
  | 'INTERNAL';

export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = {
  MALFORMED_JSON: { status: 400, retry: 'never', meaning: 'The body is not JSON.' },
  MALFORMED_MSGPACK: { status: 400, retry: 'never', meaning: 'The body or frame is not msgpack.' },
  INVALID_REQUEST: {
    status: 400,
    retry: 'never',
    meaning: 'A field is missing, unknown where that matters, or of the wrong kind.',
  },
  EMPTY_BODY: { status: 400, retry: 'never', meaning: 'A body is required and none was sent.' },
  UNKNOWN_INPUT: { status: 400, retry: 'never', meaning: 'The model has no input of that name.' },
  MISSING_INPUT: { status: 400, retry: 'never', meaning: 'An input of the model was not sent.' },
  MISSING_ROUTING_KEY: {
    status: 400,
    retry: 'never',
    meaning: 'A rollout divides the model by keys, and requests without one are refused here.',
  },
  UNKNOWN_OUTPUT: { status: 400, retry: 'never', meaning: 'The model has no output of that name.' },
  DATATYPE_MISMATCH: { status: 400, retry: 'never', meaning: 'The datatype is not the one the model takes.' },
  SHAPE_MISMATCH: { status: 400, retry: 'never', meaning: 'The shape does not fit the model.' },
  ELEMENT_COUNT_MISMATCH: {
    status: 400,
    retry: 'never',
    meaning: 'The data holds more or fewer elements than the shape says.',
  },
  BINARY_SIZE_MISMATCH: {
    status: 400,
    retry: 'never',
    meaning: 'The body has more or fewer bytes than its header and `binary_data_size` say.',
  },
  UNSUPPORTED_PARAMETER: {
    status: 400,
    retry: 'never',
    meaning: 'A parameter asks for something that the gateway does not do, or is reserved.',
  },
  INVALID_ELEMENT: { status: 400, retry: 'never', meaning: 'An element is not a value of its datatype.' },
  TOO_MANY_ROWS: {
    status: 400,
    retry: 'never',
    meaning: 'The request has more rows than one request may have.',
  },
  SEQUENCE_REQUIRED: {
    status: 400,
    retry: 'never',
    meaning: 'The model keeps state between calls, and the request names no sequence.',
  },
  SEQUENCE_LOST: {
    status: 409,
    retry: 'never',
    meaning: 'The sequence is not open here, or not any more; it has to be started again.',
  },
  SEQUENCE_INTERRUPTED: {
    status: 409,
    retry: 'never',
    meaning: 'An earlier call of the sequence was not answered, so this one behind it was not run.',
  },
  TOO_MANY_SEQUENCES: {
    status: 503,
    retry: 'later',
    meaning: 'Too many sequences are open, or they hold too many bytes.',
  },
  NOT_FOUND: { status: 404, retry: 'never', meaning: 'There is nothing at this path.' },
  UNKNOWN_MODEL: { status: 404, retry: 'never', meaning: 'No model of that name is deployed.' },
  UNKNOWN_VERSION: { status: 404, retry: 'never', meaning: 'The model has no such version here.' },
  METHOD_NOT_ALLOWED: { status: 405, retry: 'never', meaning: 'The path exists, the method does not.' },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    retry: 'never',
    meaning: 'A web page of that origin may not change anything here, nor open a stream.',
  },
  FORCE_NOT_ALLOWED: {
    status: 403,
    retry: 'never',
    meaning: 'The header names another version than the caller meets, who may not choose.',
  },
  STORE_READ_ONLY: {
    status: 403,
    retry: 'never',
    meaning: 'This node follows its store and may not change it.',
  },
  STORE_CHANGE_REFUSED: {
    status: 409,
    retry: 'never',
    meaning: 'The store did not take the change; the message says why.',
  },
  NOT_SUPPORTED: {
    status: 501,
    retry: 'never',
    meaning: 'The protocol knows this, this gateway does not do it.',
  },
  BODY_TOO_LARGE: { status: 413, retry: 'never', meaning: 'The body is larger than the limit.' },
  INFLATED_TOO_LARGE: {
    status: 413,
    retry: 'never',
    meaning: 'The compressed body inflates to more than the limit.',
  },
  MALFORMED_COMPRESSION: {
    status: 400,
    retry: 'never',
    meaning: 'The body is not in the content encoding it claims, or cut off.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: 'never',
    meaning: 'The content type is not one the gateway reads.',
  },
  UNSUPPORTED_ENCODING: {
    status: 415,
    retry: 'never',
    meaning: 'The content encoding is not one the gateway reads; Accept-Encoding names those.',
  },
  UPGRADE_REQUIRED: { status: 426, retry: 'never', meaning: 'The path speaks WebSocket only.' },
  UNSUPPORTED_SUBPROTOCOL: {
    status: 400,
    retry: 'never',
    meaning: 'The client offers WebSocket subprotocols, and none that the gateway speaks.',
  },
  CANCELLED: { status: 499, retry: 'never', meaning: 'The client cancelled the request before it was run.' },
  DEADLINE_EXCEEDED: {
    status: 504,
    retry: 'later',
    meaning: 'The request could not be answered by the time it had set itself; it was not run.',
  },
  QUEUE_FULL: {
    status: 503,
    retry: 'later',
    meaning: 'Too much work is waiting; the queue limits were reached.',
  },
  OVERLOADED: {
    status: 503,
    retry: 'later',
    meaning: 'With the work that waits the request would miss its deadline; it was not taken.',
  },
  CALLER_LIMIT: {
    status: 429,
    retry: 'later',
    meaning: 'The caller has as much here as one may have: rows, bytes, sequences, or calls in flight.',
  },
  SLOW_READER: {
    status: 503,
    retry: 'later',
    meaning: 'The client reads its answers too slowly; what it sends meanwhile is not taken.',
  },
  MODEL_NOT_READY: {
    status: 503,
    retry: 'later',
    meaning: 'The model is known but no version of it is loaded yet.',
  },
  MODEL_COLD: {
    status: 503,
    retry: 'later',
    meaning: 'The model is not in memory, and will not be soon enough for the request to wait for it.',
  },
  SHUTTING_DOWN: { status: 503, retry: 'later', meaning: 'The gateway is draining and takes no new work.' },
  MODEL_FAILED: {
    status: 500,
    retry: 'never',
    meaning: 'The model itself failed on this input, also when run alone.',
  },
  WORKER_LOST: {
    status: 503,
    retry: 'later',
    meaning: 'The thread that ran the request ended; the request may be sent again.',
  },
  MODEL_QUARANTINED: {
    status: 503,
    retry: 'later',
    meaning: 'The version cost too many threads and is not run for a while.',
  },
  INTERNAL: { status: 500, retry: 'never', meaning: 'A fault of the gateway; the log has the details.' },
};

/** An expected failure. Values, not exceptions: throwing is for broken invariants. */
export interface WireError {
  readonly ok: false;
  readonly code: ErrorCode;
  /** What is wrong and what to do about it; safe to show to any client. */
  readonly message: string;
  /** When to come again, where that is known better than for all errors of the code; milliseconds. */
  readonly retryAfterMs?: number;
}

/** What a client is told that is not told anything in particular, milliseconds. */
export const retryAfterMsDefault = 100;
/** The same while something is loaded or started anew. */
const retryAfterMsStarting = 1000;
/** Sooner is not worth a second request, and later is not foreseen. */
export const retryAfterMsMin = 10;
export const retryAfterMsMax = 60_000;

/** Whole milliseconds after which the same request is worth another try; undefined for what will never succeed. */
export function retryAfterMs({
  code,
  retryAfterMs: known,
}: Pick<WireError, 'code' | 'retryAfterMs'>): number | undefined {
  if (errorTable[code].retry === 'never') return undefined;
  if (known !== undefined) return Math.min(Math.max(Math.ceil(known), retryAfterMsMin), retryAfterMsMax);
  return code === 'SHUTTING_DOWN' || code === 'MODEL_NOT_READY' ? retryAfterMsStarting : retryAfterMsDefault;
}

/** The same for the header Retry-After, which has whole seconds: at least 1. */
export function retryAfterSeconds(error: Pick<WireError, 'code' | 'retryAfterMs'>): string | undefined {
  const ms = retryAfterMs(error);
  return ms === undefined ? undefined : String(Math.ceil(ms / 1000));
}

export type Result<Value> = { readonly ok: true; readonly value: Value } | WireError;

export function fail(code: ErrorCode, message: string): WireError {
  return { ok: false, code, message };
}

export function succeed<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}
