/** Options of `tidegate serve`: what they are called, where else they are read from, what they may be. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Limits, limitBounds, parseLimits } from '../../gateway/admission/limits.ts';
import { type LogLevel, logLevels } from '../../gateway/telemetry/log-level.ts';
import { addControlOptions, type ServeControlOptions } from './control-options.ts';
import { addEngineOptions, type EngineOptions } from './engine-options.ts';
import { addMemoryOptions, type MemoryOptions } from './memory-options.ts';
import { sizeOption } from './quantity.ts';
import { addResponseCacheOptions, type CacheOptions } from './response-cache-options.ts';
import { addRoutingOptions, type RoutingOptions } from './routing-options.ts';

export interface ServeOptions
  extends RoutingOptions, ServeControlOptions, CacheOptions, MemoryOptions, EngineOptions {
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
  readonly processes: number;
  readonly threads?: number;
  readonly serverName: string;
  readonly corsOrigin: readonly string[];
  readonly loadBeside: boolean;
  readonly websocketCompression: boolean;
  readonly limit: Readonly<Record<string, number>>;
  readonly logLevel?: LogLevel;
  readonly dev?: true;
}

export function addServeOptions(command: Command): Command {
  command
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
      new Option('--processes <number>', 'gateway processes that share the port; see docs/processes.md')
        .env('TIDEGATE_PROCESSES')
        .default(1)
        .argParser(parseProcesses),
    )
    .addOption(
      new Option(
        '--threads <number>',
        'threads that run models (default: cores - 1, with --processes cores / processes; at least 1)',
      )
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
    .option('--no-load-beside', 'load models between batches and never on a second thread')
    .option('--websocket-compression', 'agree to permessage-deflate on WebSockets', false);
  addEngineOptions(addResponseCacheOptions(addMemoryOptions(addRoutingOptions(command))))
    .option('--limit <name=value>', 'set a limit, see below; may be repeated', collectLimit, {})
    .addOption(
      new Option('--log-level <level>', 'logs go to standard error (default: info, with --dev warn)')
        .env('TIDEGATE_LOG_LEVEL')
        .choices(logLevels),
    )
    .option('--dev', 'make a store, keys and demo models here if there are none, then serve them');
  return addControlOptions(command, parsePort)
    .addHelpText('after', limitHelp())
    .addHelpText(
      'after',
      '\nExamples:\n  $ tidegate serve --dev\n  $ tidegate serve --store /srv/models --root root.json --state /var/lib/tidegate --port 9000\n  $ tidegate serve --store https://models.example.com/fleet --root root.json --state /var/lib/tidegate\n',
    );
}

export function limitsOf(options: ServeOptions): Limits {
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

/** More processes than this only take memory from each other. */
const processesMax = 64;

function parseProcesses(text: string): number {
  const processes = Number(text);
  if (!/^\d+$/.test(text) || processes < 1 || processes > processesMax) {
    throw new InvalidArgumentError(`Processes are a number from 1 to ${processesMax}.`);
  }
  return processes;
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
