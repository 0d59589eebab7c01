/** The thread that keeps the verified state of a store for a node: lives as long as the store is open. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveKeeper } from './keeper-link.ts';
import type { KeeperOrder } from './keeper-messages.ts';

if (parentPort !== null) await serveKeeper(parentPort, workerData as KeeperOrder);
