/** How the operating system schedules threads of this process, read from where it says so: proc(5), `/proc/<pid>/stat`. */
import { readdirSync, readFileSync } from 'node:fs';

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
