/** Options that the commands about the store share, with their defaults and environment variables. */
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Command, Option } from 'commander';
import type { Output } from '../output.ts';
import { interruptible } from '../terminal/interrupt.ts';
import { type PassphraseOptions, addPassphraseFile, passphrases } from '../terminal/passphrase.ts';

export interface StoreOptions {
  readonly store: string;
  /** At least one; the first holds root.json and the publisher's memory. */
  readonly keys: readonly string[];
  readonly json?: true;
}

export interface ReaderOptions extends StoreOptions {
  readonly root?: string;
}

export interface ChangeOptions extends StoreOptions, PassphraseOptions {
  readonly by: string;
  readonly why?: string;
}

const defaultStore = '.tidegate/store';
const defaultKeys: readonly string[] = ['.tidegate/keys'];

/** The store and the keys folders. */
export function addStoreOptions(command: Command): Command {
  return addKeysOptions(
    command.addOption(
      new Option('--store <folder>', 'the store').env('TIDEGATE_STORE').default(defaultStore),
    ),
  );
}

/** The keys folders alone, for commands about keys and not about a store. */
export function addKeysOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--keys <folder>', 'signing keys and root.json; may be repeated, the first has root.json')
        .env('TIDEGATE_KEYS')
        .default(defaultKeys, defaultKeys.join())
        .argParser(collectFolder),
    )
    .option('--json', 'print JSON');
}

/** For commands that read and verify, and need no key. */
export function addReaderOptions(command: Command): Command {
  return addStoreOptions(command).addOption(
    new Option('--root <file>', 'the pinned root.json (default: root.json in the first keys folder)').env(
      'TIDEGATE_ROOT',
    ),
  );
}

/** For commands that sign a change. */
export function addChangeOptions(command: Command): Command {
  return addPassphraseFile(
    addStoreOptions(command)
      .option('--why <text>', 'the reason, for the record')
      .option('--by <name>', 'who decided it', userName()),
  );
}

/** What a line to paste needs to mean the same store: the options that are not as usual, each after a space. */
export function placeText({ store, keys }: Pick<StoreOptions, 'store' | 'keys'>): string {
  const words = [
    ...(store === defaultStore ? [] : ['--store', store]),
    ...(keys.join() === defaultKeys.join() ? [] : keys.flatMap((folder) => ['--keys', folder])),
  ];
  return words.map((word) => ` ${shellWord(word)}`).join('');
}

function shellWord(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What every reading function of the store takes. */
export function readerOf(options: ReaderOptions): {
  readonly folder: string;
  readonly pinnedRootPath: string;
  readonly stateFolder: string;
  readonly nowMs: number;
} {
  const [home] = options.keys;
  return {
    folder: options.store,
    pinnedRootPath: options.root ?? join(home ?? '', 'root.json'),
    stateFolder: join(home ?? '', 'state'),
    nowMs: Date.now(),
  };
}

/** What every function that changes the store takes. */
function publisherOf(
  options: StoreOptions & PassphraseOptions,
  output: Output,
): {
  readonly folder: string;
  readonly keysFolders: readonly string[];
  readonly nowMs: number;
  readonly passphrase: (keyName: string) => Promise<string>;
} {
  return {
    folder: options.store,
    keysFolders: options.keys,
    nowMs: Date.now(),
    passphrase: passphrases(output, options),
  };
}

export type Publisher = ReturnType<typeof publisherOf> & { readonly signal: AbortSignal };

/** Runs work on the store that Ctrl-C may stop as long as nothing is in force. */
export function withPublisher<Result>(
  options: StoreOptions & PassphraseOptions,
  output: Output,
  work: (publisher: Publisher) => Promise<Result>,
): Promise<Result> {
  return interruptible((signal) => work({ ...publisherOf(options, output), signal }));
}

/** The same for a change, with who did it and why. */
export function withChange<Result>(
  options: ChangeOptions,
  output: Output,
  work: (change: Publisher & { readonly actor: string; readonly why: string }) => Promise<Result>,
): Promise<Result> {
  return withPublisher(options, output, (publisher) =>
    work({ ...publisher, actor: options.by, why: options.why ?? '' }),
  );
}

/** Who is at the keyboard, for records of who did what; containers may have a user without a name. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env['USER'] ?? 'unknown';
  }
}

/** The environment variable may hold several, separated as in PATH; what is given on the command line replaces it. */
function collectFolder(text: string, before: readonly string[]): readonly string[] {
  const folders = text.split(delimiter).filter((folder) => folder !== '');
  return before === defaultKeys ? folders : [...before, ...folders];
}
