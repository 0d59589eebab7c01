/** The command line as a person or a script uses it, in this process, on a store of its own. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Output, Terminal } from '../../cli/output.ts';
import { type ExitCode, runCli } from '../../cli/run.ts';
import { Interrupted } from '../../cli/terminal/interrupt.ts';
import { TemporaryStore } from '../registry-store/temporary-store.ts';

export interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

export async function run(args: readonly string[], terminal?: Terminal): Promise<Ran> {
  let [out, err] = ['', ''];
  const output: Output = {
    out: (text) => (out += text),
    err: (text) => (err += text),
    ...(terminal !== undefined && { terminal }),
  };
  const code = await runCli(args, output);
  // A person never sees a stack.
  expect(out + err).not.toMatch(/^\s+at /m);
  return { code, out, err };
}

export class CommandLine {
  readonly store: TemporaryStore;

  constructor(store: TemporaryStore) {
    this.store = store;
  }

  /** Without a store yet. */
  static async make(): Promise<CommandLine> {
    return new CommandLine(await TemporaryStore.make());
  }

  /** With iris 1.0.0 and 2.0.0, of which 2.0.0 is live and 1.0.0 the previous one; revision 5. */
  static async makeWithIris(): Promise<CommandLine> {
    return new CommandLine(await TemporaryStore.makeWithIris());
  }

  run(...args: readonly string[]): Promise<Ran> {
    return run([...args, ...this.#placeFor(args)]);
  }

  /** Standard output of a command that must succeed without a warning. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.run(...args);
    expect(err).toBe('');
    expect(code, args.join(' ')).toBe(0);
    return out;
  }

  /** The one JSON value of a command that must succeed. */
  async json(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    return JSON.parse(await this.ok(...args, '--json')) as Record<string, unknown>;
  }

  /** The error of a command that must fail, as a script gets it; nothing else is printed. */
  async failure(...args: readonly string[]): Promise<{ readonly code: string; readonly error: string }> {
    const { code, out, err } = await this.run(...args, '--json');
    expect(code, args.join(' ')).toBe(1);
    expect(out).toBe('');
    return JSON.parse(err) as { code: string; error: string };
  }

  /** At a terminal where these secrets are typed in turn; `^C` gives up. */
  typing(
    secrets: readonly string[],
    ...args: readonly string[]
  ): Promise<Ran & { readonly asked: readonly string[] }> {
    const left = [...secrets];
    const asked: string[] = [];
    const terminal: Terminal = {
      askSecret: (question) => {
        asked.push(question);
        const secret = left.shift();
        if (secret === '^C') return Promise.reject(new Interrupted());
        return secret === undefined ? Promise.reject(new Error('asked too often')) : Promise.resolve(secret);
      },
      width: () => 80,
    };
    return run([...args, ...this.#placeFor(args)], terminal).then((ran) => ({ ...ran, asked }));
  }

  /** Where the store and the keys are, unless the command line says it; a new key has no store yet. */
  #placeFor(args: readonly string[]): readonly string[] {
    return [
      ...(args[0] === 'keys' && args[1] === 'new' ? [] : ['--store', this.store.folder]),
      ...(args.includes('--keys') ? [] : ['--keys', this.store.keysFolder]),
    ];
  }
}

export function modelFile(version: '1.0.0' | '2.0.0'): string {
  return fileURLToPath(new URL(`../../deploy/demo/models/iris-${version}.onnx`, import.meta.url));
}
