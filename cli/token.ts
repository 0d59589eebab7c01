/**
 * The control API on the command line: `tidegate token` says who may use it (a token is shown once, when it is made;
 * the file keeps its digest), and here are the options with which `tidegate serve` starts it.
 */
import { delimiter, join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Scope,
  type TokenEntry,
  makeToken,
  scopes,
  tokenNameRule,
} from '../gateway/admin/control-tokens.ts';
import { changeTokenFile, readTokenFile } from '../gateway/admin/token-file.ts';
import type { ControlPlane } from '../gateway/admin/control-plane.ts';
import type { Logger } from '../gateway/telemetry/logger.ts';
import { StoreError, type StoreSnapshot } from '../registry-store/main.ts';
import { distanceText, momentText } from './moment.ts';
import { type Output, columns, write } from './output.ts';
import { packageVersion } from './package-version.ts';
import { lifetimeOption } from './quantity.ts';
import { isPassphraseGiven, passphrases } from './terminal/passphrase.ts';

interface TokenOptions {
  readonly tokens: string;
  readonly json?: true;
}

interface CreateOptions extends TokenOptions {
  readonly scope: readonly Scope[];
  /** Milliseconds. */
  readonly expires?: number;
}

const tokensVariable = 'TIDEGATE_CONTROL_TOKENS';
const tokensDefault = '.tidegate/control-tokens.json';

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

/** What `serve` is told about the control API. */
export interface ServeControlOptions {
  /** Without it there is no control API. */
  readonly controlPort?: number;
  readonly controlHost: string;
  readonly controlTokens: string;
  readonly controlAudit?: string;
  readonly controlArtifacts?: string;
  readonly controlCert?: string;
  readonly controlKey?: string;
  readonly controlClientCa?: string;
}

export function addControlOptions(command: Command, parsePort: (text: string) => number): Command {
  const file = (flag: string, text: string, variable: string): Option =>
    new Option(`${flag} <file>`, text).env(variable);
  return command
    .addOption(
      new Option('--control-port <number>', 'serve the control API there (default: it is off)')
        .env('TIDEGATE_CONTROL_PORT')
        .argParser(parsePort),
    )
    .addOption(
      new Option('--control-host <address>', 'address of the control API')
        .env('TIDEGATE_CONTROL_HOST')
        .default('127.0.0.1'),
    )
    .addOption(
      file('--control-tokens', 'who may use it: tidegate token', tokensVariable).default(tokensDefault),
    )
    .addOption(
      file(
        '--control-audit',
        'log of its changes (default: control-audit.jsonl in the state folder)',
        'TIDEGATE_CONTROL_AUDIT',
      ),
    )
    .addOption(
      new Option('--control-artifacts <folder>', 'models may be published from there by path').env(
        'TIDEGATE_CONTROL_ARTIFACTS',
      ),
    )
    .addOption(file('--control-cert', 'its certificate, for https', 'TIDEGATE_CONTROL_CERT'))
    .addOption(file('--control-key', 'the key of that certificate', 'TIDEGATE_CONTROL_KEY'))
    .addOption(
      file('--control-client-ca', 'clients need a certificate of this CA', 'TIDEGATE_CONTROL_CLIENT_CA'),
    );
}

interface ServedStore {
  readonly store: string;
  readonly keys: string;
  readonly root?: string;
  readonly state: string;
  /** Address of the gateway itself. */
  readonly host: string;
}

interface BesideGateway {
  readonly gateway: { readonly port: number; readonly loaded: Promise<void>; close(): Promise<void> };
  /** The state that the gateway serves. */
  readonly current: () => StoreSnapshot;
  /** How long requests in flight may take when it ends, milliseconds. */
  readonly graceMs: number;
  readonly output: Output;
  readonly log: Logger;
}

/** Starts the control API beside a gateway, if it is asked for; closing closes both, and so does a failure to start. */
export async function withControl(
  options: ServeControlOptions & ServedStore,
  facts: BesideGateway,
): Promise<{ close(): Promise<void> }> {
  const { gateway, output, graceMs } = facts;
  try {
    const control = await startControlFor(options, facts);
    if (control === undefined) return gateway;
    const scheme = options.controlCert === undefined ? 'http' : 'https';
    const may = control.mayChange ? 'may change the store' : 'only shows: this node holds no signing key';
    output.out(`Control API ${urlOf(scheme, options.controlHost, control.port)} (${may})\n`);
    return {
      close: async () => {
        await control.close(graceMs);
        await gateway.close();
      },
    };
  } catch (error) {
    // Models whose loading is cut off would be reported as broken.
    await gateway.loaded;
    await gateway.close();
    throw error;
  }
}

/** Undefined when it is off. Throws for options that do not go together. */
async function startControlFor(
  options: ServeControlOptions & ServedStore,
  facts: BesideGateway,
): Promise<ControlPlane | undefined> {
  const { controlPort: port, controlHost: host, controlArtifacts, state } = options;
  if (port === undefined) return undefined;
  const tls = tlsOf(options);
  const keysFolders = options.keys.split(delimiter).filter((folder) => folder !== '');
  const { startControl } = await import('../gateway/admin/control-plane.ts');
  return startControl({
    host,
    port,
    source: options.store,
    keysFolders,
    pinnedRootPath: options.root ?? join(keysFolders[0] ?? '', 'root.json'),
    stateFolder: state,
    current: facts.current,
    // Nobody sits at a server to be asked.
    ...(isPassphraseGiven({}) && {
      passphrase: passphrases({ out: facts.output.out, err: facts.output.err }, {}),
    }),
    tokensFile: options.controlTokens,
    auditFile: options.controlAudit ?? join(state, 'control-audit.jsonl'),
    ...(controlArtifacts !== undefined && { artifactsFolder: controlArtifacts }),
    ...(tls !== undefined && { tls }),
    inferenceUrl: urlOf('http', options.host, facts.gateway.port),
    version: packageVersion(),
    log: facts.log,
  });
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}

function tlsOf({
  controlCert: certificate,
  controlKey: key,
  controlClientCa: clientCa,
}: ServeControlOptions):
  { readonly certificate: string; readonly key: string; readonly clientCa?: string } | undefined {
  if (certificate !== undefined && key !== undefined) {
    return { certificate, key, ...(clientCa !== undefined && { clientCa }) };
  }
  if (certificate === undefined && key === undefined && clientCa === undefined) return undefined;
  throw new InvalidArgumentError(
    '--control-cert and --control-key go together; --control-client-ca needs both.',
  );
}
