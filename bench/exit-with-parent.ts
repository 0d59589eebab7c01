/**
 * Loaded before a child of the suite (`node --import`): ends the child when the suite is gone, even if that was
 * killed and could not stop it. It does nothing while the channel is open and does not keep the child alive.
 */
import { isMainThread } from 'node:worker_threads';

// Worker threads of the child load this too; the channel belongs to the main thread.
if (isMainThread && process.channel !== undefined) {
  process.once('disconnect', () => {
    process.exit(1);
  });
  process.channel.unref();
}
