/** The thread that keeps the verified state of a store for a node: lives as long as the store is open. */
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { serveKeeper } from './keeper-link.ts';
import type { FromKeeper, KeeperOrder } from './keeper-messages.ts';

if (parentPort !== null) {
  const here: FromKeeper = { kind: 'thread', osThread: threadNumber() };
  parentPort.postMessage(here);
  await serveKeeper(parentPort, workerData as KeeperOrder);
}

/** Undefined where there is no telling: on another system than Linux, and in a container without /proc. */
function threadNumber(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // "<process>/task/<thread>"
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return undefined;
  }
}
