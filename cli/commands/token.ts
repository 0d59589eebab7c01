/** `tidegate token`: who may use the control API. A token is shown once, when it is made; the file keeps its digest. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Scope,
  type TokenEntry,
  makeToken,
  scopes,
  tokenNameRule,
} from '../../gateway/admin/control-tokens.ts';
import { changeTokenFile, readTokenFile } from '../../gateway/admin/token-file.ts';
import { StoreError } from '../../registry-store/store-error.ts';
import { tokensDefault, tokensVariable } from '../options/control-options.ts';
import { lifetimeOption } from '../options/quantity.ts';
import { type Output, columns, write } from '../output.ts';
import { distanceText, momentText } from '../text/moment.ts';

interface TokenOptions {
  readonly tokens: string;
  readonly json?: true;
}

interface CreateOptions extends TokenOptions {
  readonly scope: readonly Scope[];
  /** Milliseconds. */
  readonly expires?: number;
}

export function registerToken(program: Command, output: Output): void {
  const token = program
    .command('token')
    .description('make and revoke tokens of the control API')
    .addHelpText(
      'after',
      '\nExamples:\n  $ tidegate token create ci --scope publish --scope deploy --expires 90d\n  $ tidegate token list\n  $ tidegate token revoke ci',
    );
  addTokenOptions(token.command('create'))
    .description('make a token and print it, this once')
    .argument('<name>', 'who will use it, for the audit log and the history')
    .addOption(
      new Option('--scope <scope>', 'what it may do; may be repeated')
        .choices(scopes)
        .makeOptionMandatory()
        .argParser(collectScope),
    )
    .addOption(
      new Option(
        '--expires <time>',
        'how long it counts, such as 90d (default: until it is revoked)',
      ).argParser(lifetimeOption),
    )
    .addHelpText(
      'after',
      '\nread looks; deploy changes what is live; publish adds versions; admin does everything. The last three read too.\nA running node takes the file as it is now.',
    )
    .action(async (name: string, options: CreateOptions) => {
      await create(name, options, output);
    });
  addTokenOptions(token.command('list'))
    .description('list tokens, without the tokens themselves')
    .action(async (options: TokenOptions) => {
      await list(options, output);
    });
  addTokenOptions(token.command('revoke'))
    .description('make a token worthless, from the next request on')
    .argument('<name>', 'its name')
    .action(async (name: string, options: TokenOptions) => {
      await changeTokenFile(options.tokens, (entries) => without(entries, name));
      write(
        output,
        { json: { name, revoked: true }, lines: [`The token ${name} is worthless now.`] },
        options,
      );
    });
}

function addTokenOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--tokens <file>', 'the file of tokens, as for serve --control-tokens')
        .env(tokensVariable)
        .default(tokensDefault),
    )
    .option('--json', 'print JSON');
}

async function create(name: string, options: CreateOptions, output: Output): Promise<void> {
  if (!tokenNameRule.test(name)) {
    throw new InvalidArgumentError(
      'A token name starts with a letter or digit and goes on with letters, digits, dot, underscore or hyphen, at most 64.',
    );
  }
  const made = makeToken({ name, scopes: options.scope, nowMs: Date.now(), lifetimeMs: options.expires });
  await changeTokenFile(options.tokens, (entries) => {
    if (entries.every((entry) => entry.name !== name)) return [...entries, made.entry];
    throw new StoreError(
      'INVALID_ARGUMENT',
      `There is a token ${name} already. Revoke it first, or choose another name.`,
    );
  });
  const { scopes: granted, expiresAt } = made.entry;
  const json = { name, token: made.token, scopes: granted, expires_at: expiresAt ?? null };
  const until = expiresAt === undefined ? 'until it is revoked' : `until ${momentText(expiresAt)}`;
  write(output, { json, lines: [made.token] }, options);
  // Beside the answer, so that `TOKEN=$(tidegate token create ...)` is the token and nothing else.
  if (options.json === true) return;
  output.err(`The token ${name} may ${granted.join(', ')} ${until}. It is not shown again.\n`);
}

async function list(options: TokenOptions, output: Output): Promise<void> {
  const entries = await readTokenFile(options.tokens);
  const nowMs = Date.now();
  const rows = entries.map((entry) => [
    entry.name,
    entry.scopes.join(','),
    `made ${momentText(entry.createdAt)}`,
    expiryText(entry, nowMs),
  ]);
  const json = {
    tokens: entries.map(({ name, scopes: granted, createdAt, expiresAt }) => ({
      name,
      scopes: granted,
      created_at: createdAt,
      expires_at: expiresAt ?? null,
    })),
  };
  const lines = rows.length === 0 ? ['There is no token yet: tidegate token create.'] : columns(rows);
  write(output, { json, lines }, options);
}

function expiryText({ expiresAt }: TokenEntry, nowMs: number): string {
  if (expiresAt === undefined) return 'does not expire';
  const isOver = Date.parse(expiresAt) <= nowMs;
  return `${isOver ? 'EXPIRED' : 'expires'} ${distanceText(expiresAt, nowMs)}`;
}

function without(entries: readonly TokenEntry[], name: string): readonly TokenEntry[] {
  const left = entries.filter((entry) => entry.name !== name);
  if (left.length < entries.length) return left;
  const known = entries.map((entry) => entry.name).join(', ');
  throw new StoreError(
    'UNKNOWN_KEY',
    `There is no token ${name}. ${known === '' ? 'There is none at all.' : `There are: ${known}.`}`,
  );
}

/** With an argParser of its own, commander leaves checking the choices to it. */
function collectScope(text: string, before: readonly Scope[] | undefined): readonly Scope[] {
  const found = scopes.find((scope) => scope === text);
  if (found !== undefined) return [...(before ?? []), found];
  throw new InvalidArgumentError(`A scope is one of ${scopes.join(', ')}.`);
}
