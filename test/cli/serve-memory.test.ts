/**
 * How much memory a serving process takes, as the system counts it. Sizes depend far less on what else the machine does
 * than times; the bounds are between what is measured (docs/operations.md, "Memory") and what it was without the care
 * that is described there. Linux only: elsewhere there is no such account to read.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deployModel, initStore, publishModel } from '../../registry-store/main.ts';
import { demoModel } from '../e2e/gateway-under-test.ts';
import { Served, temporaryFolder } from './served.ts';

const about = {
  framework: 'demo',
  author: 'test',
  description: '',
  tags: [],
  metrics: new Map<string, number>(),
};
const mib = 1024 * 1024;
const baseBytesMax = 310 * mib;
const threadBytesMax = 90 * mib;
/** Code that became hot in the warm-up is optimised meanwhile, which takes memory of its own. */
const settleMs = 4000;

async function irisStore(): Promise<string> {
  const base = await temporaryFolder();
  const store = {
    folder: join(base, '.tidegate/store'),
    keysFolders: [join(base, '.tidegate/keys')],
    nowMs: Date.now(),
    actor: 'test',
  };
  const version = { ...store, model: 'iris', version: '2.0.0' };
  await initStore(store);
  await publishModel({ ...version, ...about, artifact: demoModel('iris-2.0.0') });
  await deployModel(version);
  return base;
}

async function residentBytes(folder: string, threads: number): Promise<number> {
  const served = await Served.start(['--port', '0', '--threads', String(threads)], folder);
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
    const folder = await irisStore();
    const one = await residentBytes(folder, 1);
    const three = await residentBytes(folder, 3);
    console.log(
      `resident: ${Math.round(one / mib)} MiB with one thread, ${Math.round((three - one) / 2 / mib)} MiB for each further one`,
    );
    expect(one).toBeGreaterThan(50 * mib);
    expect(one).toBeLessThan(baseBytesMax);
    expect((three - one) / 2).toBeLessThan(threadBytesMax);
  },
);
