/**
 * Puts a thread of this process behind all others of the machine, and brings it back. Being nice is not enough: a processor
 * that runs a thread of the lowest niceness counts as taken when the kernel looks for one for a thread that wakes up, so
 * that those queue up elsewhere; one that runs a thread of the policy `SCHED_IDLE` (sched(7)) counts as free.
 *
 * Node cannot set a policy; the command `chrt` of util-linux can. A shell calls it that is started while the process is
 * small: to start a command from a process of half a gigabyte keeps all of its threads waiting for some 50 ms.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** The number of a thread in the operating system. */
export type OsThread = number;

/**
 * First whether a thread can come back, which the operating system allows only those that may raise priorities, tried with
 * the shell itself; then for each line, an option of chrt and a thread, how the command ended. It ends with its input.
 */
const script =
  'chrt -i -p 0 $$ 2>&- && chrt -o -p 0 $$ 2>&-; echo $?; ' +
  'while read -r policy thread; do chrt "$policy" -p 0 "$thread" 2>&-; echo $?; done';

/** A shell that has not answered by then never will, milliseconds. */
const answerMsMax = 30_000;

/**
 * Shells that a process starts in all. One that somebody killed has a successor; where each of them ends, another would
 * only keep the threads waiting that start it.
 */
const startsMax = 3;

class PolicyShell {
  /** Whether a thread that was put behind all others can come back. */
  readonly mayBringBack: Promise<boolean>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: ((isDone: boolean) => void)[] = [];
  isGone = false;

  constructor() {
    // A group of its own: Ctrl-C is for the process that it serves.
    const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.#child = child;
    const gone = (): void => {
      this.isGone = true;
      for (const settle of this.#waiting.splice(0)) settle(false);
    };
    child.once('error', gone).once('close', gone);
    child.stdin.on('error', gone);
    createInterface({ input: child.stdout }).on('line', (status) => {
      this.#waiting.shift()?.(status === '0');
    });
    this.mayBringBack = this.#answer();
    // It must not keep the process alive, and ends with it.
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as Partial<{ unref(): void }>).unref?.();
  }

  /** False when that was not allowed, or cannot be done here. */
  set(policy: '-i' | '-o', thread: OsThread): Promise<boolean> {
    if (this.isGone) return Promise.resolve(false);
    this.#child.stdin.write(`${policy} ${thread}\n`);
    return this.#answer();
  }

  async #answer(): Promise<boolean> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), answerMsMax).unref();
    const isDone = await new Promise<boolean>((resolve) => this.#waiting.push(resolve));
    clearTimeout(timer);
    return isDone;
  }
}

let shell: PolicyShell | undefined;
let starts = 0;

function workingShell(): PolicyShell | undefined {
  const isNeeded = process.platform === 'linux' && shell?.isGone !== false;
  if (isNeeded && starts < startsMax) {
    starts += 1;
    shell = new PolicyShell();
  }
  return shell;
}

/** Before the process has grown; without it, the first thread that is put behind has all of them wait once. */
export function prepareThreadPolicy(): void {
  workingShell();
}

/** Whether a thread that was put behind all others can come back. False where none can be put there. */
export async function mayBringBack(): Promise<boolean> {
  const asked = workingShell();
  return asked !== undefined && (await asked.mayBringBack) && !asked.isGone;
}

/** From now on the thread runs when nothing else wants to. False where that cannot be said; then it runs as before. */
export async function putBehind(thread: OsThread): Promise<boolean> {
  return (await workingShell()?.set('-i', thread)) ?? false;
}

/** Whether the thread, which was put behind all others, counts as any other again. */
export async function bringBack(thread: OsThread): Promise<boolean> {
  return (await workingShell()?.set('-o', thread)) ?? false;
}

/** The next best thing: from now on the thread gives way to others as far as niceness goes, and cannot take it back. */
export function beNice(thread: OsThread): void {
  try {
    setPriority(thread, constants.priority.PRIORITY_LOW);
  } catch {
    // Then it runs as any other: what it is given to do is bounded all the same.
  }
}
