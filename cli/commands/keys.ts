/** `tidegate keys`: makes signing keys and says which of them speak for which role of the store. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type KeyListing,
  type KeysResult,
  createKey,
  grantKey,
  listKeys,
  revokeKey,
  rotateKey,
} from '../../registry-store/main.ts';
import { counted, countOption } from '../options/quantity.ts';
import {
  type ChangeOptions,
  type ReaderOptions,
  type StoreOptions,
  addChangeOptions,
  addKeysOptions,
  addReaderOptions,
  readerOf,
  withChange,
} from '../options/store-options.ts';
import { type Output, columns, write } from '../output.ts';
import {
  type PassphraseOptions,
  addPassphraseFile,
  isPassphraseGiven,
  newPassphrase,
} from '../terminal/passphrase.ts';
import { shortKeyLength } from '../text/change-text.ts';
import { joinedRoles, roleRows } from '../text/role-rows.ts';

interface NewOptions extends Omit<StoreOptions, 'store'>, PassphraseOptions {
  readonly encrypt?: true;
  readonly command?: string;
  readonly public?: string;
  readonly timeout: number;
}

interface RotateOptions extends ChangeOptions {
  readonly encrypt?: true;
  readonly newKey?: string;
  readonly key?: string;
  readonly public?: string;
}

interface GrantOptions extends ChangeOptions {
  readonly threshold?: number;
}

/** A token may wait for a person to touch it. */
const commandTimeoutDefaultS = 60;

export function registerKeys(program: Command, output: Output): void {
  const keys = program
    .command('keys')
    .description('make signing keys and say who may sign what')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate keys list
  $ tidegate keys rotate deployments
  $ tidegate keys new ada --keys /media/ada --encrypt`,
    );
  registerNew(keys, output);
  registerKeyList(keys, output);
  registerGrant(keys, output);
  registerRotate(keys, output);
  registerRevoke(keys, output);
}

function registerNew(keys: Command, output: Output): void {
  addPassphraseFile(addKeysOptions(keys.command('new')))
    .description('make a key that no role has yet')
    .argument('<name>', 'what to call it')
    .option('--encrypt', 'lock it with a passphrase that is asked for')
    .option('--command <text>', 'make no key but name a program that signs: bytes in, hex out, no shell')
    .option('--public <hex>', 'with --command: the Ed25519 public key of what the program signs with')
    .addOption(
      new Option('--timeout <seconds>', 'with --command: how long it may take')
        .default(commandTimeoutDefaultS)
        .argParser(countOption),
    )
    .addHelpText(
      'after',
      `
Give it to a role with "tidegate keys grant". Behind a command can stand a key service, a token or an agent: it gets the
bytes to sign on standard input and answers with the signature, 64 bytes in hex.

Examples:
  $ tidegate keys new ada --keys /media/ada --encrypt
  $ tidegate keys new hsm --command "/usr/local/bin/hsm-sign slot1" --public 3b6a...`,
    )
    .action(async (name: string, options: NewOptions) => {
      const [keysFolder = ''] = options.keys;
      const command = commandOf(options);
      const isEncrypted = options.encrypt === true || isPassphraseGiven(options);
      const made = await createKey({
        keysFolder,
        name,
        ...(isEncrypted && command === undefined && { passphrase: () => newPassphrase(output, options) }),
        ...(command !== undefined && { command }),
      });
      const { keyId, publicHex, path } = made;
      const lines = [
        `Key     ${path}  (${command === undefined ? 'keep it secret and backed up' : 'signs with a command'})`,
        `Id      ${keyId}`,
        `Public  ${publicHex}`,
        '',
        `Next: tidegate keys grant <role> ${publicHex}`,
      ];
      write(output, { json: { name, path, key_id: keyId, public: publicHex }, lines }, options);
    });
}

function commandOf(
  options: NewOptions,
): { readonly argv: readonly string[]; readonly timeoutMs: number; readonly publicHex: string } | undefined {
  const { command, public: publicHex, timeout } = options;
  if (command === undefined && publicHex === undefined) return undefined;
  if (command === undefined || publicHex === undefined) {
    throw new InvalidArgumentError('--command and --public go together.');
  }
  const argv = command.split(/\s+/).filter((word) => word !== '');
  return { argv, timeoutMs: timeout * 1000, publicHex: publicHex.toLowerCase() };
}

function registerKeyList(keys: Command, output: Output): void {
  addReaderOptions(keys.command('list'))
    .description('show which keys are here and what each may sign')
    .addHelpText(
      'after',
      `
Needs no passphrase. Keys that the store trusts and that are not in these folders are shown by their id alone.

Examples:
  $ tidegate keys list
  $ tidegate keys list --keys ~/.tidegate/keys --keys /media/ada --json`,
    )
    .action(async (options: ReaderOptions) => {
      const reader = readerOf(options);
      const listing = await listKeys({ ...reader, keysFolders: options.keys });
      write(output, { json: listingJson(listing), lines: listingLines(listing, reader.nowMs) }, options);
      if (options.json === true) return;
      for (const { problem } of listing.unusable) output.err(`warning: ${problem}\n`);
    });
}

function listingJson({ files, unusable, roles }: KeyListing): object {
  return {
    keys: files.map(({ keyId, publicHex, ...file }) => ({ ...file, key_id: keyId, public: publicHex })),
    unusable,
    roles: roles.map(({ keyIds, ...role }) => ({ ...role, key_ids: keyIds })),
  };
}

function listingLines({ files, unusable, roles }: KeyListing, nowMs: number): readonly string[] {
  const here = new Set(files.map(({ keyId }) => keyId));
  return [
    ...(files.length === 0
      ? [unusable.length === 0 ? 'No key is in these folders.' : 'No key here can be used.']
      : []),
    ...columns(
      files.map(({ name, keyId, form, roles: spoken }) => [
        name,
        keyId.slice(0, shortKeyLength),
        form,
        spoken.length === 0 ? 'no role' : joinedRoles(spoken).join(' '),
      ]),
    ),
    '',
    ...columns(
      roleRows(roles, {
        nowMs,
        cells: ({ threshold, keyIds }) => [
          `${threshold} of ${counted(keyIds.length, 'key')}`,
          `${keyIds.filter((keyId) => here.has(keyId)).length} here`,
          keyIds.map((keyId) => keyId.slice(0, shortKeyLength)).join(' '),
        ],
      }),
    ),
  ];
}

function registerGrant(keys: Command, output: Output): void {
  addChangeOptions(keys.command('grant'))
    .description('let one more key sign for a role, or change how many must')
    .argument('<role>', 'such as models or deployments')
    .argument('[public]', 'public key in hex, as "tidegate keys new" printed it')
    .addOption(new Option('--threshold <number>', 'how many of the keys must sign').argParser(countOption))
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate keys grant models 3b6a27bc...
  $ tidegate keys grant root 3b6a27bc... --threshold 2 --keys ~/.tidegate/keys --keys /media/ada
  $ tidegate keys grant root --threshold 2`,
    )
    .action(async (role: string, publicKey: string | undefined, options: GrantOptions) => {
      const { threshold } = options;
      if (publicKey === undefined && threshold === undefined) {
        throw new InvalidArgumentError('Name a public key, or a new --threshold.');
      }
      const result = await withChange(options, output, (change) =>
        grantKey({
          ...change,
          role,
          ...(publicKey !== undefined && { publicKey: publicKey.toLowerCase() }),
          ...(threshold !== undefined && { threshold }),
        }),
      );
      writeResult(result, options, output);
    });
}

function registerRotate(keys: Command, output: Output): void {
  addChangeOptions(keys.command('rotate'))
    .description('put a new key in the place of an old one')
    .argument('<role>', 'such as timestamp')
    .option('--key <id>', 'the key to replace, when the role has several')
    .option('--new-key <name>', 'what to call the new key (default: the role with a number)')
    .option(
      '--encrypt',
      'lock the new key with a passphrase that is asked for (default: when the old one is)',
    )
    .option('--public <hex>', 'take this key, which exists already, instead of making one')
    .addHelpText(
      'after',
      `
The new key is made in the first keys folder. The old one no longer counts, and its file stays for you to destroy.

Examples:
  $ tidegate keys rotate timestamp
  $ tidegate keys rotate models --public 3b6a27bc... --why "Ada leaves"`,
    )
    .action(async (role: string, options: RotateOptions) => {
      const { newKey, key, public: publicHex } = options;
      const result = await withChange(options, output, (change) =>
        rotateKey({
          ...change,
          role,
          ...(newKey !== undefined && { newKeyName: newKey }),
          encrypt: options.encrypt === true || isPassphraseGiven(options) ? true : 'like-old',
          newPassphrase: () => newPassphrase(output, options),
          ...(key !== undefined && { keyId: key }),
          ...(publicHex !== undefined && { newPublicHex: publicHex.toLowerCase() }),
        }),
      );
      writeResult(result, options, output);
    });
}

function registerRevoke(keys: Command, output: Output): void {
  addChangeOptions(keys.command('revoke'))
    .description('let a key sign nothing any more')
    .argument('<id>', 'id of the key, as "tidegate keys list --json" shows it')
    .addHelpText(
      'after',
      `
Examples:
  $ tidegate keys revoke 8f1c0d... --why "the laptop is lost"`,
    )
    .action(async (keyId: string, options: ChangeOptions) => {
      const result = await withChange(options, output, (change) => revokeKey({ ...change, keyId }));
      writeResult(result, options, output);
    });
}

function writeResult(result: KeysResult, options: ChangeOptions, output: Output): void {
  const { added, removed, roles, newKeyPath, changed, revision } = result;
  const lines = changed
    ? [
        `${roles.join(', ')}: ${keysText(result)} (revision ${revision})`,
        ...(newKeyPath === undefined ? [] : [`Key     ${newKeyPath}  (keep it secret and backed up)`]),
      ]
    : ['That was so already; nothing changed'];
  const json = { roles, added, removed, new_key: newKeyPath ?? null, changed, revision };
  write(output, { json, lines }, options);
}

function keysText({ added, removed }: KeysResult): string {
  const parts = [
    ...added.map((keyId) => `${keyId.slice(0, shortKeyLength)} may sign`),
    ...removed.map((keyId) => `${keyId.slice(0, shortKeyLength)} may not any more`),
  ];
  return parts.length === 0 ? 'new threshold' : parts.join(', ');
}
