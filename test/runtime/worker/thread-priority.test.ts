/** The priority of a background thread is really lower, and that of the thread beside it is not. */
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

test.runIf(process.platform === 'linux')('only the thread that asks for it yields to others', async () => {
  const module = new URL('../../../dist/runtime/worker/thread-priority.js', import.meta.url).href;
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { getPriority } = require('node:os');
     const { readlinkSync } = require('node:fs');
     import(${JSON.stringify(module)}).then(({ yieldToOthers }) => {
       yieldToOthers();
       parentPort.postMessage(getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1))));
     });`,
    { eval: true },
  );
  const before = getPriority(process.pid);
  const lowered = await new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  expect(lowered).toBe(19);
  expect(getPriority(process.pid)).toBe(before);
});
