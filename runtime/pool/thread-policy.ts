/**
 * Puts a thread of this process behind all others of the machine, and brings it back. Being nice is not enough: a processor
 * that runs a thread of the lowest niceness counts as taken when the kernel looks for one for a thread that wakes up, so
 * that those queue up elsewhere; one that runs a thread of the policy `SCHED_IDLE` (sched(7)) counts as free.
 *
 * Node cannot set a policy; the command `chrt` of util-linux can. A shell calls it that is started while the process is
 * small: to start a command from a process of half a gigabyte keeps all of its threads waiting for some 50 ms.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** The number of a thread in the operating system. */
export type OsThread = number;

/** For each line, an option of chrt and a thread, one line: how the command ended. It ends with its input. */
const script = 'while read -r policy thread; do chrt "$policy" -p 0 "$thread" 2>&-; echo $?; done';

/** A shell that has not answered by then never will, milliseconds. */
const answerMsMax = 5000;

/** `CAP_SYS_NICE`, capabilities(7). */
const sysNice = 1n << 23n;
/** 20 less the niceness that a process may set, getrlimit(2): with so much it may set 0, that of everybody. */
const niceLimitMin = 20;

class PolicyShell {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: ((isDone: boolean) => void)[] = [];
  #isGone = false;

  constructor() {
    // A group of its own: Ctrl-C is for the process that it serves.
    const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.#child = child;
    const gone = (): void => {
      this.#isGone = true;
      for (const settle of this.#waiting.splice(0)) settle(false);
    };
    child.once('error', gone).once('close', gone);
    child.stdin.on('error', gone);
    createInterface({ input: child.stdout }).on('line', (status) => {
      this.#waiting.shift()?.(status === '0');
    });
    // It must not keep the process alive, and ends with it.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Partial<{ unref(): void }>).unref?.();
  }

  /** False when that was not allowed, or cannot be done here. */
  async set(policy: '-i' | '-o', thread: OsThread): Promise<boolean> {
    if (this.#isGone) return false;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), answerMsMax);
    const isDone = await new Promise<boolean>((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin.write(`${policy} ${thread}\n`);
    });
    clearTimeout(timer);
    return isDone;
  }
}

let shell: PolicyShell | undefined;

/** Before the process has grown; without it, the first thread that is put behind has all of them wait once. */
export function prepareThreadPolicy(): void {
  if (process.platform === 'linux') shell ??= new PolicyShell();
}

/** From now on the thread runs when nothing else wants to. Where that cannot be said it is as nice as can be, or as before. */
export async function putBehind(thread: OsThread): Promise<void> {
  prepareThreadPolicy();
  if (shell === undefined) return;
  trySetPriority(thread, constants.priority.PRIORITY_LOW);
  await shell.set('-i', thread);
}

/** Whether it counts as any other again; see `mayBringBack`. */
export async function bringBack(thread: OsThread): Promise<boolean> {
  if (shell === undefined) return true;
  const isNice = trySetPriority(thread, constants.priority.PRIORITY_NORMAL);
  return (await shell.set('-o', thread)) && isNice;
}

function trySetPriority(thread: OsThread, niceness: number): boolean {
  try {
    setPriority(thread, niceness);
    return true;
  } catch {
    return false;
  }
}

/** Whether `bringBack` will be allowed: with CAP_SYS_NICE, or where the process may set niceness 0 (`ulimit -e 20`). */
export function mayBringBack(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return isAllowed(readFileSync('/proc/self/status', 'utf8'), readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return false;
  }
}

/** From the texts of `/proc/self/status` and `/proc/self/limits`, proc(5). */
export function isAllowed(status: string, limits: string): boolean {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (capabilities !== undefined && (BigInt(`0x${capabilities}`) & sysNice) !== 0n) return true;
  const limit = /^Max nice priority\s+(\S+)/m.exec(limits)?.[1];
  return limit === 'unlimited' || Number(limit) >= niceLimitMin;
}
