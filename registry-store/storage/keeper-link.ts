/**
 * What the thread that keeps a store and the thread that serves say to each other: plain data over a message port. The
 * same port is used when both are one thread, so that there is one way and not two.
 */
import type { MessagePort } from 'node:worker_threads';
import { StoreError, type StoreErrorCode } from '../store-error.ts';
import type { SignedFile } from '../trust/artifact-digest.ts';
import type { StoreCheck } from '../trust/check.ts';
import type { DownloadProgress } from './artifact-shelf.ts';
import { changeBetween, type ModelPiece, type SnapshotEnd } from './snapshot-pieces.ts';
import type { StoreCondition } from './store-condition.ts';
import { type KeeperOptions, StoreKeeper } from './store-keeper.ts';
import { asStoreError } from './store-source.ts';

/** Options that can be sent to a thread. */
export type KeeperOrder = Omit<KeeperOptions, 'progress' | 'nowMs'>;

export interface PlainError {
  readonly code: StoreErrorCode;
  readonly check: StoreCheck | undefined;
  readonly message: string;
}

export type FromKeeper =
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

/** Opens a keeper and answers for it until it is closed. */
export async function serveKeeper(
  port: MessagePort,
  order: KeeperOrder,
  nowMs?: () => number,
): Promise<void> {
  const post = (message: FromKeeper, transfer: readonly ArrayBuffer[] = []): void => {
    port.postMessage(message, transfer);
  };
  let onNext: (() => void) | undefined;
  let sent: Parameters<typeof changeBetween>[0];
  let progressAtMs = 0;
  let keeper: StoreKeeper | undefined;
  let closed = false;

  port.on('message', (message: ToKeeper) => {
    switch (message.kind) {
      case 'next':
        onNext?.();
        break;
      case 'read':
        void answerRead(keeper, message, post);
        break;
      case 'close':
        closed = true;
        onNext?.();
        void Promise.resolve(keeper?.close()).then(() => {
          post({ kind: 'closed' });
          port.close();
        });
        break;
      default:
        message satisfies never;
    }
  });

  const opening = StoreKeeper.open(
    {
      ...order,
      nowMs,
      progress: (progress) => {
        const isLast = progress.filesDone === progress.files;
        if (!isLast && performance.now() - progressAtMs < progressEveryMs) return;
        progressAtMs = performance.now();
        post({ kind: 'progress', progress });
      },
    },
    {
      snapshot: async (next, condition) => {
        const { pieces, end } = changeBetween(sent, next);
        for (const piece of pieces) {
          if (closed) return;
          const taken = new Promise<void>((resolve) => (onNext = resolve));
          post({ kind: 'pieces', pieces: piece });
          await taken;
        }
        post({ kind: 'end', end, condition });
        sent = next;
      },
      refused: (error) => {
        post({ kind: 'refused', error: plain(error) });
      },
      condition: (condition) => {
        post({ kind: 'condition', condition });
      },
    },
  );
  try {
    keeper = await opening;
    post({ kind: 'opened' });
  } catch (error) {
    post({ kind: 'open-failed', error: plain(asStoreError(error)) });
    port.close();
  }
}

/** Often enough for a person who waits. */
const progressEveryMs = 200;

async function answerRead(
  keeper: StoreKeeper | undefined,
  { id, file }: Extract<ToKeeper, { kind: 'read' }>,
  post: (message: FromKeeper, transfer?: readonly ArrayBuffer[]) => void,
): Promise<void> {
  try {
    if (keeper === undefined) throw new StoreError('STORE_CLOSED', 'The store is not open yet.');
    const bytes = await keeper.readArtifact(file);
    // Moved, not copied: the thread that serves gets a large model for nothing.
    post({ kind: 'artifact', id, bytes }, [bytes.buffer]);
  } catch (error) {
    post({ kind: 'artifact-failed', id, error: plain(asStoreError(error)) });
  }
}

export function plain({ code, check, message }: StoreError): PlainError {
  return { code, check, message };
}

export function fromPlain({ code, check, message }: PlainError): StoreError {
  return new StoreError(code, message, check === undefined ? {} : { check });
}
