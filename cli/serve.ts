/**
 * `tidegate serve`: opens a store and serves it until it is told to stop. With `--dev` it first makes a store with keys
 * of its own and the demo models, if there is none yet; that is what `npm start` does.
 */
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Limits, limitBounds, parseLimits } from '../gateway/admission/limits.ts';
import type { Gateway, RepositoryControl } from '../gateway/main.ts';
import { createLogger, type LogLevel, logLevels } from '../gateway/telemetry/logger.ts';
import { type StoreSnapshot, type VerifiedStore, openStore } from '../registry-store/main.ts';
import { parseSizeBytes } from '../registry-store/platform/quantity.ts';
import { devRepository } from './dev-repository.ts';
import { prepareDevStore } from './dev-store.ts';
import type { Output } from './output.ts';
import { packageVersion } from './package-version.ts';
import { sizeOption } from './quantity.ts';
import { addRoutingOptions, type RoutingOptions, routingOf } from './routing-options.ts';
import { progressFor } from './terminal/progress.ts';
import { type ServeControlOptions, addControlOptions, withControl } from './token.ts';
import { welcome } from './welcome.ts';

interface ServeOptions extends RoutingOptions, ServeControlOptions {
  readonly store: string;
  readonly keys: string;
  readonly root?: string;
  readonly state: string;
  readonly cache?: string;
  readonly cacheSize?: string;
  readonly caFile?: string;
  readonly poll?: number;
  readonly host: string;
  readonly port: number;
  readonly threads?: number;
  readonly serverName: string;
  readonly corsOrigin: readonly string[];
  readonly websocketCompression: boolean;
  readonly limit: Readonly<Record<string, number>>;
  readonly logLevel?: LogLevel;
  readonly dev?: true;
}

export function registerServe(program: Command, output: Output): void {
  const command = program
    .command('serve')
    .description('serve the deployed models of a store over HTTP and WebSocket')
    .addOption(
      new Option('--store <folder or URL>', 'the store, here or on any https:// or http:// file server')
        .env('TIDEGATE_STORE')
        .default('.tidegate/store'),
    )
    .addOption(
      new Option('--keys <folder>', 'keys, used by --dev and the control API')
        .env('TIDEGATE_KEYS')
        .default('.tidegate/keys'),
    )
    .addOption(
      new Option('--root <file>', 'the pinned root.json (default: root.json in the keys folder)').env(
        'TIDEGATE_ROOT',
      ),
    )
    .addOption(
      new Option('--state <folder>', 'what this node remembers of the store')
        .env('TIDEGATE_STATE')
        .default('.tidegate/state'),
    )
    .addOption(
      new Option('--cache <folder>', 'models of a store with a URL (default: cache in the state folder)').env(
        'TIDEGATE_CACHE',
      ),
    )
    .addOption(
      new Option('--cache-size <size>', 'room for them; what is live must fit (default: 10Gi)')
        .env('TIDEGATE_CACHE_SIZE')
        .argParser(sizeOption),
    )
    .addOption(
      new Option('--ca-file <file>', 'certificates to trust for https:// instead of those of the system').env(
        'TIDEGATE_CA_FILE',
      ),
    )
    .addOption(
      new Option('--poll <seconds>', 'time between two looks at the store (default: 1, with a URL 10)')
        .env('TIDEGATE_POLL')
        .argParser(parseSeconds),
    )
    .addOption(
      new Option('--host <address>', 'address to listen on').env('TIDEGATE_HOST').default('127.0.0.1'),
    )
    .addOption(
      new Option('--port <number>', 'port to listen on, 0 for a free one')
        .env('TIDEGATE_PORT')
        .default(8080)
        .argParser(parsePort),
    )
    .addOption(
      new Option('--threads <number>', 'threads that run models (default: cores - 1, at least 1)')
        .env('TIDEGATE_THREADS')
        .argParser(parseThreads),
    )
    .addOption(
      new Option('--server-name <name>', 'how the server names itself in its metadata')
        .env('TIDEGATE_SERVER_NAME')
        .default('tidegate')
        .argParser(parseServerName),
    )
    .addOption(
      new Option(
        '--cors-origin <origin>',
        'web pages from there may call the gateway, * for all; may be repeated',
      )
        .env('TIDEGATE_CORS_ORIGIN')
        .default([], 'none')
        .argParser(collectOrigins),
    )
    .option('--websocket-compression', 'agree to permessage-deflate on WebSockets', false);
  addRoutingOptions(command)
    .option('--limit <name=value>', 'set a limit, see below; may be repeated', collectLimit, {})
    .addOption(
      new Option('--log-level <level>', 'logs go to standard error (default: info, with --dev warn)')
        .env('TIDEGATE_LOG_LEVEL')
        .choices(logLevels),
    )
    .option('--dev', 'make a store, keys and demo models here if there are none, then serve them');
  addControlOptions(command, parsePort)
    .addHelpText('after', limitHelp())
    .addHelpText(
      'after',
      '\nExamples:\n  $ tidegate serve --dev\n  $ tidegate serve --store /srv/models --root root.json --state /var/lib/tidegate --port 9000\n  $ tidegate serve --store https://models.example.com/fleet --root root.json --state /var/lib/tidegate\n',
    )
    .action(async (options: ServeOptions) => {
      await serve(options, output);
    });
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  const limits = limitsOf(options);
  const routing = routingOf(options);
  const log = createLogger(options.logLevel ?? (options.dev === true ? 'warn' : 'info'));
  if (options.dev === true && /^https?:/i.test(options.store)) {
    throw new InvalidArgumentError(
      '--dev makes a store of its own in a folder; leave it away to serve a URL.',
    );
  }
  if (options.dev === true) {
    const { store: folder, keys } = options;
    await prepareDevStore({
      store: folder,
      keys,
      progress: (line) => {
        output.out(`${line}\n`);
      },
    });
  }
  const store = await openVerified(options, output);
  // The server library reads this when it is loaded, which is why the gateway is only imported now.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(limits.headerBytesMax);
  const { startGateway } = await import('../gateway/main.ts');
  const gateway = await startGateway({
    host: options.host,
    port: options.port,
    store,
    limits,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    identity: { name: options.serverName, version: packageVersion() },
    corsOrigins: options.corsOrigin,
    websocketCompression: options.websocketCompression,
    ...routing,
    rolloutsFile: join(options.state, 'rollouts.json'),
    ...(options.dev === true ? { control: devControl(options, store) } : {}),
    log,
  });
  const current = (): StoreSnapshot => store.current;
  const graceMs = limits.shutdownGraceMs;
  stopOnSignals(await withControl(options, { gateway, current, graceMs, output, log }), output);
  await gateway.loaded;
  const { port, failures } = gateway;
  output.out(welcome({ host: options.host, port, store: store.current, failures }));
}

/** A node that made its own keys may change its own store. */
function devControl(
  { store: folder, keys, root, state }: ServeOptions,
  store: VerifiedStore,
): RepositoryControl {
  return devRepository({
    store: folder,
    keys,
    pinnedRootPath: root ?? join(keys, 'root.json'),
    state,
    current: () => store.current,
  });
}

/** Models of a store with a URL come over the network when it is opened first; a person sees how far that is. */
async function openVerified(options: ServeOptions, output: Output): Promise<VerifiedStore> {
  const { cache, cacheSize, caFile, poll } = options;
  const cacheBytesMax = cacheSize === undefined ? undefined : parseSizeBytes(cacheSize);
  const progress = progressFor(output, {}, 'bytes');
  let opened = false;
  try {
    return await openStore({
      source: options.store,
      pinnedRootPath: options.root ?? join(options.keys, 'root.json'),
      stateFolder: options.state,
      ...(cache === undefined ? {} : { cacheFolder: cache }),
      ...(cacheBytesMax === undefined ? {} : { cacheBytesMax }),
      ...(caFile === undefined ? {} : { caFile }),
      ...(poll === undefined ? {} : { pollMs: poll * 1000 }),
      onProgress: ({ files, filesDone, bytes, bytesDone }) => {
        // Later downloads happen beside serving, where a bar would only disturb the logs.
        if (!opened) progress.step(`models ${filesDone}/${files}`, bytesDone, bytes);
      },
    });
  } finally {
    opened = true;
    progress.end();
  }
}

/** The first signal finishes what is in flight, within the grace period; the second one does not wait. */
function stopOnSignals(gateway: Pick<Gateway, 'close'>, output: Output): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(signal === 'SIGINT' ? 130 : 143);
    stopping = true;
    output.out('\nFinishing what is in flight; once more to stop at once.\n');
    gateway.close().then(
      () => process.exit(0),
      (error: unknown) => {
        output.err(`error: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function limitsOf(options: ServeOptions): Limits {
  const parsed = parseLimits(options.limit);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.problems.join(' '));
  return parsed.value;
}

function parseServerName(text: string): string {
  if (/^[\x20-\x7e]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError('A server name is 1 to 100 printable ASCII characters.');
}

/** Given by option several times, or by environment variable with spaces or commas between. */
function collectOrigins(text: string, before: readonly string[]): readonly string[] {
  const origins = text.split(/[\s,]+/).filter((part) => part !== '');
  return [...before, ...origins.map(originOf)];
}

/** As browsers send it: no path, no default port, lower case. */
function originOf(text: string): string {
  if (text === '*' || text === 'null') return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url !== undefined && url.host !== '' && text.replace(/\/$/, '').split('/').length === 3;
  if (isOrigin) return `${url.protocol}//${url.host}`;
  throw new InvalidArgumentError(
    `${text} is not an origin. Write it as https://app.example.com, with the port if there is one.`,
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text !== '' && seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('The time between two looks is 0.1 to 86400 seconds.');
}

/** More threads than this only take memory from each other. */
const threadsMax = 64;

function parseThreads(text: string): number {
  const threads = Number(text);
  if (!/^\d+$/.test(text) || threads < 1 || threads > threadsMax) {
    throw new InvalidArgumentError(`Threads are a number from 1 to ${threadsMax}.`);
  }
  return threads;
}

function collectLimit(
  text: string,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const [name, value, ...rest] = text.split('=');
  if (name === undefined || name === '' || value === undefined || value === '' || rest.length > 0) {
    throw new InvalidArgumentError('Write a limit as name=value.');
  }
  if (!Number.isFinite(Number(value))) throw new InvalidArgumentError(`${value} is not a number.`);
  return { ...before, [name]: Number(value) };
}

function limitHelp(): string {
  const rows = Object.entries(limitBounds).map(
    ([name, { initial, min, max }]) =>
      `  ${name.padEnd(26)} ${String(initial).padStart(10)}   ${min} to ${max}`,
  );
  return `\nLimits, with defaults and bounds:\n${rows.join('\n')}\n`;
}
