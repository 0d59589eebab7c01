/** A thread that works behind all others is there while it works, and among them again however the work ends. */
import { describe, expect, it } from 'vitest';
import { workBehind } from '../../../runtime/pool/behind-others.ts';
import { mayBringBack } from '../../../runtime/pool/thread-policy.ts';
import { anyThread, policyOf } from './thread-state.ts';

const mayComeBack = await mayBringBack();
const msMax = 60_000;

describe.runIf(process.platform === 'linux' && mayComeBack)('a thread that works', () => {
  it('is behind all others until the work is done', async () => {
    const thread = await anyThread();
    const during = await workBehind(() => Promise.resolve(policyOf(thread)), { thread, msMax });
    expect([during, policyOf(thread)]).toEqual([5, 0]);
  });

  it('comes back when the work fails, which is told', async () => {
    const thread = await anyThread();
    const work = (): Promise<never> => Promise.reject(new Error(`policy ${String(policyOf(thread))}`));
    await expect(workBehind(work, { thread, msMax })).rejects.toThrow('policy 5');
    expect(policyOf(thread)).toBe(0);
  });

  it('comes back when its time is over, whether or not the work is', async () => {
    const thread = await anyThread();
    const work = async (): Promise<string> => {
      while (policyOf(thread) !== 0) await new Promise((resolve) => setTimeout(resolve, 5));
      return 'done among the others';
    };
    expect(await workBehind(work, { thread, msMax: 1 })).toBe('done among the others');
  });

  it('is left where it is when there is no time for that', async () => {
    const thread = await anyThread();
    expect(await workBehind(() => Promise.resolve(policyOf(thread)), { thread, msMax: 0 })).toBe(0);
  });
});

it('a thread that nobody can tell works like any other', async () => {
  expect(await workBehind(() => Promise.resolve('done'), { thread: undefined, msMax })).toBe('done');
});
