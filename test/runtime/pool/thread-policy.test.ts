/** A thread that is put behind all others is really there, alone, and comes back where that is allowed. */
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, test } from 'vitest';
import { bringBack, isAllowed, mayBringBack, putBehind } from '../../../runtime/pool/thread-policy.ts';
import { idlePolicy, type ThreadState, threadStates } from './thread-state.ts';

async function startThread(): Promise<number> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const { readlinkSync } = require('node:fs');
     parentPort.postMessage(Number(readlinkSync('/proc/thread-self').split('/').at(-1)));
     setInterval(() => undefined, 1000);`,
    { eval: true },
  );
  onTestFinished(async () => {
    await worker.terminate();
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
}

const stateOf = (thread: number): ThreadState | undefined =>
  threadStates().find((state) => state.thread === thread);

describe.runIf(process.platform === 'linux')('a thread', () => {
  it('is put behind all others, and no other with it', async () => {
    const thread = await startThread();
    const others = threadStates().filter((state) => state.thread !== thread && state.policy === idlePolicy);
    await putBehind(thread);
    expect(stateOf(thread)).toMatchObject({ policy: idlePolicy, niceness: 19 });
    expect(threadStates().filter(({ policy }) => policy === idlePolicy)).toHaveLength(others.length + 1);
  });

  it.runIf(mayBringBack())('comes back as it was', async () => {
    const thread = await startThread();
    const before = stateOf(thread);
    await putBehind(thread);
    expect(await bringBack(thread)).toBe(true);
    expect(stateOf(thread)).toEqual(before);
  });

  it('that is none cannot be brought back', async () => {
    // Above the largest number that Linux gives, proc_sys_kernel(5).
    expect(await bringBack(2 ** 22 + 1)).toBe(false);
  });
});

describe('whether a thread may come back', () => {
  const status = (capabilities: string): string => `Name:\tnode\nCapEff:\t${capabilities}\nSeccomp:\t0\n`;
  const limits = (soft: string): string =>
    `Limit                     Soft Limit           Hard Limit           Units\nMax nice priority         ${soft}                    ${soft}\n`;

  test('is what the capability says', () => {
    expect(isAllowed(status('0000000000800000'), limits('0'))).toBe(true);
    expect(isAllowed(status('00000000a80425fb'), limits('0'))).toBe(false);
  });

  test('or the limit', () => {
    expect(isAllowed(status('0'), limits('20'))).toBe(true);
    expect(isAllowed(status('0'), limits('19'))).toBe(false);
    expect(isAllowed(status('0'), limits('unlimited'))).toBe(true);
    expect(isAllowed('', '')).toBe(false);
  });
});
