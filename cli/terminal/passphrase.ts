/**
 * Where the passphrase of a signing key comes from: a file, the environment, or a person at the terminal, in this
 * order. It is never an argument, because arguments are seen by everybody on the machine and stay in the shell's
 * history.
 */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { StoreError } from '../../registry-store/store-error.ts';
import type { Output } from '../output.ts';

export const passphraseVariable = 'TIDEGATE_PASSPHRASE';

export interface PassphraseOptions {
  readonly passphraseFile?: string;
}

export function addPassphraseFile(command: Command): Command {
  return command.addOption(
    new Option('--passphrase-file <file>', `first line opens the keys (or ${passphraseVariable}, or asked)`),
  );
}

/** Answers for keys that turn out to be locked; each is asked for once. */
export function passphrases(
  output: Output,
  options: PassphraseOptions,
): (keyName: string) => Promise<string> {
  const asked = new Map<string, Promise<string>>();
  let last: Promise<unknown> = Promise.resolve();
  return async (keyName) => {
    const given = await givenPassphrase(options);
    if (given !== undefined) return given;
    const known = asked.get(keyName);
    if (known !== undefined) return known;
    // Several keys may be wanted at once, and there is one keyboard.
    const answer = last.then(() => ask(output, `Passphrase of the key ${keyName}: `));
    asked.set(keyName, answer);
    last = answer.catch(() => undefined);
    return answer;
  };
}

/** The passphrase for keys that are about to be made; asked for twice, because a typing error would lose them. */
export async function newPassphrase(output: Output, options: PassphraseOptions): Promise<string> {
  const given = await givenPassphrase(options);
  if (given !== undefined) return given;
  const first = await ask(output, 'New passphrase: ');
  if (first === '')
    throw new StoreError('KEY_LOCKED', 'An empty passphrase protects nothing; nothing was made.');
  if ((await ask(output, 'The same again: ')) === first) return first;
  throw new StoreError('KEY_LOCKED', 'The two passphrases differ; nothing was made. Try again.');
}

/** Whether file or environment name one, so that new keys are meant to be encrypted without further options. */
export function isPassphraseGiven(options: PassphraseOptions): boolean {
  return options.passphraseFile !== undefined || fromEnvironment() !== undefined;
}

async function givenPassphrase({ passphraseFile }: PassphraseOptions): Promise<string | undefined> {
  if (passphraseFile === undefined) return fromEnvironment();
  const [line = ''] = (await readText(passphraseFile)).split(/\r?\n/, 1);
  if (line !== '') return line;
  throw new StoreError('KEY_LOCKED', `${passphraseFile} has no passphrase in its first line.`);
}

function fromEnvironment(): string | undefined {
  const value = process.env[passphraseVariable];
  return value === '' ? undefined : value;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  }
}

function ask({ terminal }: Output, question: string): Promise<string> {
  if (terminal !== undefined) return terminal.askSecret(question);
  throw new StoreError(
    'KEY_LOCKED',
    `A passphrase is needed and nobody can be asked here. Name a file with --passphrase-file or set ${passphraseVariable}.`,
  );
}
