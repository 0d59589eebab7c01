/** A thread that is put behind all others is really there, alone, and comes back where that is allowed. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { beNice, bringBack, mayBringBack, putBehind } from '../../../runtime/pool/thread-policy.ts';
import { anyThread, idlePolicy, type ThreadState, threadStates } from './thread-state.ts';

const mayComeBack = await mayBringBack();

const stateOf = (thread: number): ThreadState | undefined =>
  threadStates().find((state) => state.thread === thread);

describe.runIf(process.platform === 'linux')('a thread', () => {
  it('is put behind all others, and no other with it', async () => {
    const thread = await anyThread();
    const others = threadStates().filter((state) => state.thread !== thread && state.policy === idlePolicy);
    expect(await putBehind(thread)).toBe(true);
    expect(stateOf(thread)).toMatchObject({ policy: idlePolicy, niceness: 0 });
    expect(threadStates().filter(({ policy }) => policy === idlePolicy)).toHaveLength(others.length + 1);
  });

  it.runIf(mayComeBack)('comes back as it was', async () => {
    const thread = await anyThread();
    const before = stateOf(thread);
    await putBehind(thread);
    expect(await bringBack(thread)).toBe(true);
    expect(stateOf(thread)).toEqual(before);
  });

  it('that is none is not put anywhere', async () => {
    // Above the largest number that Linux gives, proc_sys_kernel(5).
    const none = 2 ** 22 + 1;
    expect(await putBehind(none)).toBe(false);
    expect(await bringBack(none)).toBe(false);
    beNice(none);
  });

  it('is as nice as can be where that is all there is', async () => {
    const thread = await anyThread();
    beNice(thread);
    expect(stateOf(thread)).toMatchObject({ policy: 0, niceness: 19 });
  });
});

/** Shells that this process started. */
function shells(): readonly number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    try {
      const [, state, parent] = /\(sh\) (\w) (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      return Number(parent) === process.pid && state !== 'Z';
    } catch {
      return false;
    }
  });
}

it.runIf(process.platform === 'linux')(
  'a shell that was killed is started again, but not for ever',
  async () => {
    const thread = await anyThread();
    const others = shells();
    vi.resetModules();
    const policy = await import('../../../runtime/pool/thread-policy.ts');
    for (let life = 1; life <= 3; life++) {
      await vi.waitFor(async () => {
        expect(await policy.putBehind(thread)).toBe(true);
      }, 20_000);
      const own = shells().filter((pid) => !others.includes(pid));
      expect(own).toHaveLength(1);
      process.kill(own[0]!, 'SIGKILL');
      await vi.waitFor(() => {
        expect(shells()).toEqual(others);
      }, 20_000);
    }
    await vi.waitFor(async () => {
      expect([await policy.putBehind(thread), await policy.mayBringBack()]).toEqual([false, false]);
    }, 20_000);
    expect(shells()).toEqual(others);
  },
);
