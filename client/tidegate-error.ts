/**
 * The one error of the client. Codes of the gateway are passed on as they are (docs/protocol.md, "Errors"); the
 * client adds a few of its own for what happens before or after the gateway has a say.
 * Invariant: every promise of the client rejects with a TidegateError and with nothing else.
 */

/** What the client itself can say. Codes are API: never reworded, only added. */
export type ClientErrorCode =
  /** No connection could be made, or it ended before the answer. Inference may be repeated. */
  | 'CONNECTION_LOST'
  /** The time given to the call is over, waiting and repeating included. Also a code of the gateway. */
  | 'DEADLINE_EXCEEDED'
  /** The AbortSignal of the call fired; `cause` is its reason. */
  | 'ABORTED'
  /** `close()` was called. */
  | 'CLIENT_CLOSED'
  /** As many calls wait in the client as may wait. Without a `status`: the gateway has a code of the same name. */
  | 'QUEUE_FULL'
  /** The request is larger than one frame may be. Also a code of the gateway. */
  | 'BODY_TOO_LARGE'
  /** The call cannot be sent as it is: a shape, a value or an option is wrong. */
  | 'INVALID_ARGUMENT'
  /** What came back is no answer of the protocol. */
  | 'INVALID_RESPONSE'
  /** The result has no output of that name. Also a code of the gateway. */
  | 'UNKNOWN_OUTPUT'
  /** An HTTP error without a code, from another server or from a proxy between; `status` says which. */
  | 'HTTP_ERROR';

/** A code of the client or of the gateway. Gateways of later versions may send codes that are not known here. */
export type TidegateErrorCode = ClientErrorCode | (string & Record<never, never>);

export interface TidegateErrorDetails {
  /** HTTP status, when there was one. */
  readonly status?: number | undefined;
  /** Milliseconds after which the server asks to come back. */
  readonly retryAfterMs?: number | undefined;
  /** Overrules what follows from code, status and `retryAfterMs`. */
  readonly isRetryable?: boolean | undefined;
  readonly cause?: unknown;
}

/** Codes after which the same request may succeed; of codes that are not listed, status and `retryAfterMs` decide. */
const retryableCodes = new Set([
  'CONNECTION_LOST',
  'QUEUE_FULL',
  'MODEL_NOT_READY',
  'MODEL_COLD',
  'SHUTTING_DOWN',
  'WORKER_LOST',
  'SLOW_READER',
  'DEADLINE_EXCEEDED',
]);

/** 502 and 504 come from proxies that could not reach the gateway; inference changes nothing, so it may be repeated. */
const retryableStatuses = new Set([429, 502, 503, 504]);

const finalCodes = new Set(['ABORTED', 'CLIENT_CLOSED', 'INVALID_ARGUMENT', 'INVALID_RESPONSE', 'CANCELLED']);

export class TidegateError extends Error {
  override readonly name: string = 'TidegateError';
  /** Stable; branch on this and not on the message. */
  readonly code: TidegateErrorCode;
  /** HTTP status; undefined over WebSocket and for errors of the client itself. */
  readonly status: number | undefined;
  /** Milliseconds after which the server asks to come back; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
  /**
   * Whether the same call may succeed when it is made again. The client has already repeated it as often as its
   * options allow; after DEADLINE_EXCEEDED it never does, since only the caller can give more time.
   */
  readonly isRetryable: boolean;

  constructor(code: TidegateErrorCode, message: string, details: TidegateErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
    this.isRetryable = details.isRetryable ?? mayBeRepeated(code, details);
  }
}

/** Anything that was thrown as a TidegateError; what is none becomes one of `code`. */
export function asTidegateError(thrown: unknown, code: ClientErrorCode, what: string): TidegateError {
  if (thrown instanceof TidegateError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new TidegateError(code, `${what}: ${reason}`, { cause: thrown });
}

function mayBeRepeated(code: string, { status, retryAfterMs }: TidegateErrorDetails): boolean {
  if (retryableCodes.has(code)) return true;
  if (finalCodes.has(code)) return false;
  return retryAfterMs !== undefined || (status !== undefined && retryableStatuses.has(status));
}
