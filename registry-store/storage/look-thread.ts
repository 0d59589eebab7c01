/** The thread in which a node looks at its store: takes one order, answers once, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type LookOrder, lookOutcome } from './look.ts';

parentPort?.postMessage(await lookOutcome(workerData as LookOrder));
