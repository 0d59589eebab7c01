/** `tidegate serve` as a process of its own, in a folder of its own; what it prints can be awaited. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const command = fileURLToPath(new URL('../../dist/bin/tidegate.js', import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Served {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  out = '';
  err = '';

  private constructor(folder: string, args: readonly string[]) {
    this.folder = folder;
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEGATE_')),
    );
    // As a shell would: what its first line sets is part of it.
    this.child = spawn(command, ['serve', ...args], { cwd: folder, env });
    this.child.stdout?.on('data', (text: Buffer) => (this.out += text.toString()));
    this.child.stderr?.on('data', (text: Buffer) => (this.err += text.toString()));
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    });
  }

  /** Killed and cleaned up when the test that asked for it is over. */
  static async start(args: readonly string[], folder?: string): Promise<Served> {
    const served = new Served(folder ?? (await temporaryFolder()), args);
    onTestFinished(async () => {
      served.child.kill('SIGKILL');
      await served.exited;
    });
    return served;
  }

  /** The address it says it serves. Rejects when it ends before that. */
  async url(): Promise<string> {
    for (;;) {
      const found = /Tidegate serves (\S+)[\s\S]*Stop: Ctrl-C/.exec(this.out)?.[1];
      if (found !== undefined) return found;
      await this.#more();
    }
  }

  /** Resolves once what was printed to standard output matches. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.out)) await this.#more();
  }

  async #more(): Promise<void> {
    const { stdout } = this.child;
    if (stdout === null) throw new Error('the process has no output');
    const ended = this.exited.then(({ code }) => {
      throw new Error(`it ended with ${String(code)}: ${this.err}`);
    });
    await Promise.race([once(stdout, 'data'), ended]);
  }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-serve-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
