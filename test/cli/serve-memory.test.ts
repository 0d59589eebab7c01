/**
 * How much memory a serving process takes, as the system counts it. Sizes depend far less on what else the machine does
 * than times; the bounds are between what is measured (docs/operations/memory.md) and what it was without the care
 * that is described there. Linux only: elsewhere there is no such account to read.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeIrisStore } from './iris-store.ts';
import { Served, temporaryFolder } from './served.ts';

const mib = 1024 * 1024;
const baseBytesMax = 175 * mib;
const threadBytesMax = 65 * mib;
/** Code that became hot in the warm-up is optimised meanwhile, which takes memory of its own. */
const settleMs = 4000;

async function residentBytes(folder: string, threads: number): Promise<number> {
  const own = ['--state', join(folder, `state-${threads}`)];
  const served = await Served.start(['--port', '0', '--threads', String(threads), ...own], folder);
  await served.url();
  await sleep(settleMs);
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(served.child.pid)}/status`, 'utf8'))?.[1];
  served.child.kill('SIGTERM');
  await served.exited;
  return Number(kib) * 1024;
}

test.skipIf(!existsSync('/proc/self/status'))(
  'one thread takes what it must, and further ones little more',
  async () => {
    const folder = await temporaryFolder();
    await makeIrisStore(folder, {
      folder: '.tidegate/store',
      keysFolder: '.tidegate/keys',
      version: '2.0.0',
    });
    const [one, three] = await Promise.all([residentBytes(folder, 1), residentBytes(folder, 3)]);
    console.log(
      `resident: ${Math.round(one / mib)} MiB with one thread, ${Math.round((three - one) / 2 / mib)} MiB for each further one`,
    );
    expect(one).toBeGreaterThan(50 * mib);
    expect(one).toBeLessThan(baseBytesMax);
    expect((three - one) / 2).toBeLessThan(threadBytesMax);
  },
);
