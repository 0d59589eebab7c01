/**
 * Where the bytes of a store come from. A source is never trusted: it may answer anything, and everything it answers
 * is checked above it. Nothing above this interface knows whether it is a folder or a network.
 * Paths are relative to the store, with `/`, as in trust/store-file.ts.
 */
import { StoreError, isStoreError, systemCode } from '../store-error.ts';

export interface StoreSource {
  /** A whole file, at most `bytesMax` long; undefined when there is none. */
  read(path: string, bytesMax: number): Promise<Uint8Array | undefined>;
  /** A file in pieces, for what is too large to hold. Throws STORE_REFUSED when there is none. */
  stream(path: string): AsyncIterable<Uint8Array>;
}

/**
 * The source gave no answer that could be judged: no connection, an error of the server, a transfer that stalled or
 * was cut. It says nothing about the store, so it is tried again.
 */
export class SourceUnreachable extends StoreError {
  /** What the server asked for with Retry-After, milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {}) {
    super('SOURCE_UNREACHABLE', message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Trouble that has no code yet becomes one. */
export function asStoreError(error: unknown): StoreError {
  if (isStoreError(error)) return error;
  const reason = systemCode(error) ?? String(error);
  return new StoreError('FILE_UNREADABLE', `The store cannot be read (${reason}).`, { cause: error });
}
