/**
 * The one error that leaves the store. `code` says what kind of trouble it is, `check` which check a store failed when
 * it did not verify, and the message says what to do. Codes are API: never reworded, only added.
 */
import { type Checked, type StoreCheck, checks } from './trust/check.ts';

export type StoreErrorCode =
  /** The store does not verify; `check` names the check that failed. */
  | 'STORE_REFUSED'
  /** There is no store in this folder. */
  | 'STORE_MISSING'
  /** There is a store or there are keys already; nothing was overwritten. */
  | 'STORE_EXISTS'
  /** Another publisher is at work and did not finish in time. */
  | 'STORE_LOCKED'
  /** The store was closed. */
  | 'STORE_CLOSED'
  /** The thread that verifies the store ended; it is started again. */
  | 'THREAD_ENDED'
  /** The source of the store gave no answer that could be judged; it is tried again. */
  | 'SOURCE_UNREACHABLE'
  /** The files that are needed at the same time do not fit into the cache of this node. */
  | 'CACHE_FULL'
  /** A signing key that this operation needs is not in the keys folder. */
  | 'KEY_MISSING'
  /** A signing key can be read by others, or is not the key the store trusts. */
  | 'KEY_UNSAFE'
  /** A name, metric, tag or text is not usable. */
  | 'INVALID_ARGUMENT'
  /** A file or folder could not be read or written. */
  | 'FILE_UNREADABLE'
  /** The file is not an ONNX model that can be served. */
  | 'MODEL_REFUSED'
  /** This version of the model is published already. */
  | 'DUPLICATE_VERSION'
  /** The store has no model of this name. */
  | 'UNKNOWN_MODEL'
  /** The model has no such version. */
  | 'UNKNOWN_VERSION'
  /** The version is archived or still in training. */
  | 'NOT_DEPLOYABLE'
  /** The model has no live version, or the version named is not deployed. */
  | 'NOT_DEPLOYED'
  /** A version may not go from its stage to the one asked for. */
  | 'ILLEGAL_MOVE'
  /** The version is live, a candidate, or in the pipeline of one. */
  | 'VERSION_IN_USE'
  /** The strategy does not fit what is live, or its traffic share is missing or out of range. */
  | 'INVALID_STRATEGY'
  /** The models of a pipeline do not fit together. */
  | 'PIPELINE_REFUSED'
  /** The store has no such revision. */
  | 'UNKNOWN_REVISION'
  /** A signing key is encrypted and its passphrase is missing or wrong. */
  | 'KEY_LOCKED'
  /** Fewer keys than a role asks for. */
  | 'THRESHOLD_NOT_MET'
  /** No role of the store, and no file here, has this key. */
  | 'UNKNOWN_KEY';

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  /** Set when the code is STORE_REFUSED. */
  readonly check: StoreCheck | undefined;

  constructor(code: StoreErrorCode, message: string, options: { check?: StoreCheck; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'StoreError';
    this.code = code;
    this.check = options.check;
  }
}

/** The error of a store that does not verify. */
export function refusal(check: StoreCheck, message: string, cause?: unknown): StoreError {
  const text = `The store does not verify (check ${check}, against ${checks[check]}): ${message}`;
  return new StoreError('STORE_REFUSED', text, { check, cause });
}

/** The value of a check that passed; throws the refusal of one that did not. */
export function accept<Value>(checked: Checked<Value>): Value {
  if (checked.ok) return checked.value;
  throw refusal(checked.check, checked.message);
}

export function isStoreError(error: unknown): error is StoreError {
  return error instanceof StoreError;
}

/** The `code` of a system error such as ENOENT, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
