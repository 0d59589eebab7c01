/**
 * What the thread that keeps a store and the thread that serves say to each other: plain data over a message port. Apart
 * from the keeper, so that the side that serves does not read the code of the other one.
 */
import { StoreError, type StoreErrorCode } from '../store-error.ts';
import type { SignedFile } from '../trust/artifact-digest.ts';
import type { StoreCheck } from '../trust/check.ts';
import type { DownloadProgress } from './artifact-shelf.ts';
import type { ModelPiece, SnapshotEnd } from './snapshot-pieces.ts';
import type { StoreCondition } from './store-condition.ts';
import type { KeeperOptions } from './store-keeper.ts';

/** Options that can be sent to a thread. */
export type KeeperOrder = Omit<KeeperOptions, 'progress' | 'nowMs'>;

export interface PlainError {
  readonly code: StoreErrorCode;
  readonly check: StoreCheck | undefined;
  readonly message: string;
}

export type FromKeeper =
  /** Before anything else, from a keeper that has a thread of its own. */
  | { readonly kind: 'thread'; readonly osThread: number | undefined }
  /** Is answered with `next`: one piece at a time, so that requests get their turn in between. */
  | { readonly kind: 'pieces'; readonly pieces: readonly ModelPiece[] }
  | { readonly kind: 'end'; readonly end: SnapshotEnd; readonly condition: StoreCondition }
  | { readonly kind: 'refused'; readonly error: PlainError }
  | { readonly kind: 'condition'; readonly condition: StoreCondition }
  | { readonly kind: 'progress'; readonly progress: DownloadProgress }
  | { readonly kind: 'artifact'; readonly id: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'artifact-failed'; readonly id: number; readonly error: PlainError }
  | { readonly kind: 'opened' }
  | { readonly kind: 'open-failed'; readonly error: PlainError }
  | { readonly kind: 'closed' };

export type ToKeeper =
  | { readonly kind: 'next' }
  | { readonly kind: 'read'; readonly id: number; readonly file: SignedFile }
  | { readonly kind: 'close' };

export function plain({ code, check, message }: StoreError): PlainError {
  return { code, check, message };
}

export function fromPlain({ code, check, message }: PlainError): StoreError {
  return new StoreError(code, message, check === undefined ? {} : { check });
}
