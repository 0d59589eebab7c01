/**
 * The closed list of errors of the control API, and the one table from a code to its HTTP status. What the store
 * refuses keeps the store's own code. Codes are API: never reworded, only added.
 */
import type { StoreError, StoreErrorCode } from '../../registry-store/main.ts';

export type ControlErrorCode =
  | StoreErrorCode
  | 'UNAUTHENTICATED'
  | 'TOKEN_EXPIRED'
  | 'TOO_MANY_FAILURES'
  | 'TOKENS_UNAVAILABLE'
  | 'SCOPE_MISSING'
  | 'READ_ONLY_NODE'
  | 'HOST_NOT_ALLOWED'
  | 'ORIGIN_NOT_ALLOWED'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'MALFORMED_JSON'
  | 'INVALID_REQUEST'
  | 'UNKNOWN_FIELD'
  | 'CANDIDATE_CHANGED'
  | 'MODEL_MEMORY'
  | 'ARTIFACT_PATH_REFUSED'
  | 'ARTIFACT_NOT_FOUND'
  | 'BODY_TOO_LARGE'
  | 'BODY_INCOMPLETE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'TOO_MANY_CHANGES'
  | 'TOO_MANY_UPLOADS'
  | 'AUDIT_UNAVAILABLE'
  | 'NOT_SUPPORTED'
  | 'SHUTTING_DOWN'
  | 'INTERNAL';

export interface ControlErrorRow {
  readonly status: number;
  /** One sentence for the table in the documentation. */
  readonly meaning: string;
  /** Said instead of the store's own message, which may name folders of this machine; the log has the original. */
  readonly instead?: string;
  /** Seconds after which the same request may succeed without a change to it. */
  readonly retryAfterSeconds?: number;
}

const seeLog = 'The log of this node has the details.';

export const controlErrorTable: Readonly<Record<ControlErrorCode, ControlErrorRow>> = {
  UNAUTHENTICATED: { status: 401, meaning: 'No bearer token, or one that this node does not know.' },
  TOKEN_EXPIRED: { status: 401, meaning: 'The token was valid until a moment that is over.' },
  TOO_MANY_FAILURES: {
    status: 429,
    meaning: 'Too many requests without a valid token came from this address.',
    retryAfterSeconds: 10,
  },
  TOKENS_UNAVAILABLE: {
    status: 503,
    meaning: 'The token file cannot be used as it is now, so nobody is let in.',
    retryAfterSeconds: 10,
  },
  SCOPE_MISSING: { status: 403, meaning: 'The token is valid and lacks the scope that this needs.' },
  READ_ONLY_NODE: { status: 403, meaning: 'This node follows its store and holds no key to change it.' },
  HOST_NOT_ALLOWED: {
    status: 403,
    meaning: 'The Host header names neither this machine nor the configured host (DNS rebinding).',
  },
  ORIGIN_NOT_ALLOWED: { status: 403, meaning: 'A web page of another host sent the request.' },
  NOT_FOUND: { status: 404, meaning: 'There is nothing at this path.' },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The path exists, the method does not.' },
  MALFORMED_JSON: { status: 400, meaning: 'The body is not JSON, or no object.' },
  INVALID_REQUEST: { status: 400, meaning: 'A field is missing, of the wrong kind or out of range.' },
  UNKNOWN_FIELD: { status: 400, meaning: 'A field is not known here; the message lists those that are.' },
  CANDIDATE_CHANGED: {
    status: 409,
    meaning: 'The version to promote is not the candidate (any more), and not live either.',
  },
  MODEL_MEMORY: {
    status: 422,
    meaning:
      'The version is too large for the memory that this node has for models, so it could not serve it.',
  },
  ARTIFACT_PATH_REFUSED: {
    status: 403,
    meaning: 'The path leads out of the folder for artifacts, is no plain file, or there is no such folder.',
  },
  ARTIFACT_NOT_FOUND: { status: 404, meaning: 'The folder for artifacts has no such file.' },
  BODY_TOO_LARGE: { status: 413, meaning: 'The body or the artifact is larger than its limit.' },
  BODY_INCOMPLETE: { status: 400, meaning: 'The connection ended before the body was complete.' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    meaning: 'The content type or encoding is not one that is read here.',
  },
  TOO_MANY_CHANGES: {
    status: 503,
    meaning: 'Changes are made one at a time and too many wait already.',
    retryAfterSeconds: 2,
  },
  TOO_MANY_UPLOADS: {
    status: 503,
    meaning: 'Too many artifacts are being sent at once.',
    retryAfterSeconds: 5,
  },
  AUDIT_UNAVAILABLE: {
    status: 503,
    meaning: 'The audit log cannot be written; the message says whether the change is in force.',
  },
  NOT_SUPPORTED: { status: 501, meaning: 'This node cannot tell this, because its store is not a folder.' },
  SHUTTING_DOWN: { status: 503, meaning: 'The node stops and takes no more changes.', retryAfterSeconds: 5 },
  INTERNAL: { status: 500, meaning: 'A fault of this node; the log has the details.' },

  INVALID_ARGUMENT: { status: 400, meaning: 'A name, metric, tag, text or quantity is not usable.' },
  MODEL_REFUSED: { status: 422, meaning: 'The artifact is not an ONNX model that can be served.' },
  UNKNOWN_MODEL: { status: 404, meaning: 'The store has no model of this name.' },
  UNKNOWN_VERSION: { status: 404, meaning: 'The model has no such version.' },
  UNKNOWN_REVISION: { status: 404, meaning: 'The store has no such revision.' },
  NOT_DEPLOYED: { status: 404, meaning: 'No version of the model is live.' },
  DUPLICATE_VERSION: {
    status: 409,
    meaning: 'This version is published already, and a version never changes.',
  },
  NOT_DEPLOYABLE: { status: 409, meaning: 'The version is archived or still in training.' },
  ILLEGAL_MOVE: { status: 409, meaning: 'A version may not go from its stage to the one asked for.' },
  VERSION_IN_USE: { status: 409, meaning: 'The version is live, a candidate, or in the pipeline of one.' },
  INVALID_STRATEGY: { status: 409, meaning: 'The strategy or the move does not fit what is live.' },
  PIPELINE_REFUSED: { status: 422, meaning: 'The models of a pipeline do not fit together.' },
  STORE_LOCKED: {
    status: 409,
    meaning: 'Another publisher is at work and did not finish in time.',
    instead:
      'Another publisher is changing the store and did not finish in time. Nothing was changed; try again.',
    retryAfterSeconds: 2,
  },
  KEY_MISSING: {
    status: 403,
    meaning: 'The key of a role that this change needs is not on this node.',
    instead:
      'A signing key that this change needs is not on this node. Make the change with the tidegate command where that key is.',
  },
  THRESHOLD_NOT_MET: {
    status: 403,
    meaning: 'This node has fewer keys than a role asks for.',
    instead:
      'This change needs more signatures than this node has keys for. Make it with the tidegate command where the keys are.',
  },
  KEY_LOCKED: {
    status: 403,
    meaning: 'A signing key is encrypted and this node was not given its passphrase.',
    instead: `A signing key of this node is encrypted and could not be opened. ${seeLog}`,
  },
  KEY_UNSAFE: {
    status: 500,
    meaning: 'A signing key can be read by others, or is not the key the store trusts.',
    instead: `A signing key of this node cannot be used. ${seeLog}`,
  },
  UNKNOWN_KEY: { status: 500, meaning: 'No role of the store has a key that is named.', instead: seeLog },
  STORE_REFUSED: {
    status: 500,
    meaning: 'The store does not verify.',
    instead: `The store does not verify, and nothing was changed. ${seeLog}`,
  },
  STORE_MISSING: {
    status: 500,
    meaning: 'There is no store.',
    instead: `The store was not found. ${seeLog}`,
  },
  STORE_EXISTS: { status: 409, meaning: 'There is a store or a key already.', instead: seeLog },
  STORE_CLOSED: { status: 503, meaning: 'The store was closed.', instead: 'This node is stopping.' },
  THREAD_ENDED: {
    status: 503,
    meaning: 'The thread that verifies the store ended; it is started again.',
    instead: `The store cannot be read for a moment. ${seeLog}`,
    retryAfterSeconds: 10,
  },
  SOURCE_UNREACHABLE: {
    status: 503,
    meaning: 'The source of the store gave no answer.',
    instead: `The source of the store gave no answer. ${seeLog}`,
    retryAfterSeconds: 10,
  },
  CACHE_FULL: { status: 500, meaning: 'The cache of this node is too small.', instead: seeLog },
  FILE_UNREADABLE: {
    status: 500,
    meaning: 'A file of the store or of this node cannot be read or written.',
    instead: `A file of this node could not be read or written. ${seeLog}`,
  },
};

/** An expected failure. Values, not exceptions: throwing is for broken invariants. */
export interface ControlFailure {
  readonly ok: false;
  readonly code: ControlErrorCode;
  /** What is wrong and what to do; safe to show to whoever holds a token. */
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ControlResult<Value> = { readonly ok: true; readonly value: Value } | ControlFailure;

export function refuse(code: ControlErrorCode, message: string): ControlFailure {
  return { ok: false, code, message };
}

export function accepted<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

/** What the store refused, in the words that may leave this machine. */
export function storeFailure({ code, message }: StoreError): ControlFailure {
  return refuse(code, controlErrorTable[code].instead ?? message);
}
