/** How the operating system schedules threads of this process, read from where it says so: proc(5), `/proc/<pid>/stat`. */
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

export interface ThreadState {
  readonly thread: number;
  /** 0 for everybody, 5 for one that runs when nothing else wants to: sched(7). */
  readonly policy: number;
  /** -20 to 19. */
  readonly niceness: number;
}

export const idlePolicy = 5;

export function threadStates(): readonly ThreadState[] {
  return readdirSync('/proc/self/task').flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/self/task/${name}/stat`, 'utf8');
      // Field 2 is a name in parentheses, which may have anything in it; field 3 comes first here.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ thread: Number(name), niceness: Number(fields[19 - 3]), policy: Number(fields[41 - 3]) }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** Threads that run when nothing else wants to. */
export function threadsBehind(): readonly number[] {
  return threadStates()
    .filter(({ policy }) => policy === idlePolicy)
    .map(({ thread }) => thread);
}

/** A thread that does nothing and lives until the test ends, as the operating system counts threads. */
export async function anyThread(): Promise<number> {
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

export function policyOf(thread: number): number | undefined {
  return threadStates().find((state) => state.thread === thread)?.policy;
}
