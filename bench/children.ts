/**
 * The processes that the suite starts: servers that stay and load generators that end by themselves. It knows nothing
 * of what they do.
 * Invariant: no child outlives the suite. `stopAll` waits for each; leaving the process kills what is left; and Node
 * children also leave by themselves when the suite is killed outright (exit-with-parent.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Command {
  /** How error messages call it. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Working folder; default that of the suite. */
  readonly cwd?: string;
  /** Default that of the suite. */
  readonly env?: NodeJS.ProcessEnv;
  /** A channel to the suite, for Node children that leave when it closes. */
  readonly channel: boolean;
}

/** Milliseconds a child has to leave after SIGTERM before it is killed. */
const stopGraceMs = 5000;

const exitWithParent = new URL('exit-with-parent.js', import.meta.url).href;

/** A compiled module of this folder, or the gateway, with the Node that runs the suite. */
export function nodeCommand(
  name: string,
  script: URL,
  {
    nodeOptions = [],
    ...rest
  }: Pick<Command, 'args' | 'cwd' | 'env'> & { readonly nodeOptions?: readonly string[] },
): Command {
  const args = ['--import', exitWithParent, ...nodeOptions, fileURLToPath(script), ...rest.args];
  return { ...rest, name, file: process.execPath, args, channel: true };
}

export class Children {
  readonly #live = new Set<Child>();
  readonly #killAll = (): void => {
    for (const child of this.#live) child.kill();
  };
  #closed = false;

  constructor() {
    process.once('exit', this.#killAll);
  }

  start(command: Command): Child {
    if (this.#closed) throw new Error(`The suite is stopping; ${command.name} is not started.`);
    const child = new Child(command);
    this.#live.add(child);
    void child.ended.then(() => this.#live.delete(child));
    return child;
  }

  /** For good: nothing can be started afterwards. Whoever waits for output of a child sees it fail. */
  async stopAll(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#live, (child) => child.stop()));
    process.off('exit', this.#killAll);
  }
}

export class Child {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #outputClosed: Promise<unknown>;
  #firstLine: (line: string) => void = () => undefined;
  readonly #firstLineRead: Promise<string>;
  /** Resolves, never rejects, with how it ended. */
  readonly ended: Promise<string>;

  constructor({ name, file, args, cwd, env, channel }: Command) {
    this.#name = name;
    this.#firstLineRead = new Promise((resolve) => {
      this.#firstLine = resolve;
    });
    this.#process = spawn(file, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'inherit', ...(channel ? (['ipc'] as const) : [])],
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        resolve(error.message);
      });
      this.#process.once('exit', (code, signal) => {
        resolve(code === 0 ? 'done' : signal === null ? `exit code ${String(code)}` : signal);
      });
    });
    this.#outputClosed = this.#readOutput();
  }

  /** NaN for one that could not be started. */
  get pid(): number {
    return this.#process.pid ?? NaN;
  }

  /** The first line on standard output: how a server says that it is ready. Rejects if it ends without one. */
  async firstLine(): Promise<string> {
    const ended = this.ended.then((how) => {
      throw new Error(`${this.#name} ended before it was ready (${how}); see its messages above.`);
    });
    return Promise.race([this.#firstLineRead, ended]);
  }

  /** All of standard output, once it ended well. Rejects if it did not. */
  async output(): Promise<string> {
    const how = await this.ended;
    await this.#outputClosed;
    if (how !== 'done') throw new Error(`${this.#name} failed (${how}); see its messages above.`);
    return this.#lines.join('\n');
  }

  /** Over its channel: resolves with what it says next. One question at a time. Rejects when it ends instead. */
  async ask(question: Readonly<Record<string, number>>): Promise<unknown> {
    const answer = once(this.#process, 'message').then(([message]: unknown[]) => message);
    const ended = this.ended.then((how) => {
      throw new Error(`${this.#name} ended and was asked something (${how}); see its messages above.`);
    });
    this.#process.send(question);
    return Promise.race([answer, ended]);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.kill();
    }, stopGraceMs);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #readOutput(): Promise<unknown> {
    const { stdout } = this.#process;
    if (stdout === null) return Promise.resolve();
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => {
      this.#lines.push(line);
      this.#firstLine(line);
    });
    return once(lines, 'close');
  }
}
