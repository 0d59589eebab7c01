/**
 * The side of the keeper in its talk with the thread that serves (keeper-messages.ts). The same port is used when both are
 * one thread, so that there is one way and not two.
 */
import type { MessagePort } from 'node:worker_threads';
import { StoreError } from '../store-error.ts';
import { type FromKeeper, type KeeperOrder, plain, type ToKeeper } from './keeper-messages.ts';
import { changeBetween } from './snapshot-pieces.ts';
import { StoreKeeper } from './store-keeper.ts';
import { asStoreError } from './store-source.ts';

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
