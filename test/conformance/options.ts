/** The command line of the conformance suite. */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type Level, levels } from './check.ts';

export interface ConformanceOptions {
  readonly url: URL;
  /** Empty for those in the index of the server. */
  readonly models: readonly string[];
  /** Model to a file with an inference request that it takes. */
  readonly sampleFiles: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  readonly filter: string | undefined;
  /** Empty for all. */
  readonly level: readonly Level[];
  readonly timeoutMs: number;
  readonly mayChangeModels: boolean;
  readonly junitFile: string | undefined;
  readonly jsonFile: string | undefined;
}

export type ParsedOptions =
  | { readonly ok: true; readonly options: ConformanceOptions }
  /** What there was to say has been said. */
  | { readonly ok: false; readonly exitCode: 0 | 2 };

const timeoutMsDefault = 10_000;
const timeoutMsMax = 600_000;

const details = `
Levels: core is what the protocol asks of every server; extension what the server advertises in its metadata;
robustness is about requests that make no sense. A check that finds nothing to look at is skipped and says why.

Without --model the models are those that POST /v2/repository/index says are ready. They are asked with generated
inputs, so models that give back what they get are checked best; for one that accepts only certain values, --sample
names a file with a JSON inference request.

Ends with 0 when nothing failed, 1 when a check failed, 2 when nothing could be checked, 130 after Ctrl-C.

Examples:
  npm run conformance -- http://localhost:8080
  npm run conformance -- http://localhost:8000 --model iris --filter binary --junit report.xml
  npm run conformance -- https://models.example.com --header "Authorization: Bearer ..." --level core`;

interface Given {
  readonly model?: readonly string[];
  readonly sample?: readonly (readonly [string, string])[];
  readonly header?: readonly (readonly [string, string])[];
  readonly level?: readonly Level[];
  readonly filter?: string;
  readonly timeoutMs: number;
  readonly changeModels: boolean;
  readonly junit?: string;
  readonly json?: string;
}

/** Says itself what is wrong, or what `--help` asks for. `args` without node and script. */
export function parseOptions(args: readonly string[], write: (text: string) => void): ParsedOptions {
  const command = new Command('npm run conformance --')
    .description('Checks a server of the Open Inference Protocol, version 2, over HTTP.')
    .argument('<url>', 'where /v2 is found, for example http://localhost:8080', serverUrl)
    .option('--model <name>', 'a model to check with, repeatable (default: those of the index)', append)
    .option(
      '--sample <model=file>',
      'a JSON inference request that the model takes, repeatable',
      appendPair('='),
    )
    .option('--header <name: value>', 'sent with every request, repeatable', appendPair(':'))
    .option('--level <name>', `${levels.join(', ')}; repeatable (default: all)`, appendLevel)
    .option('--filter <text>', 'only checks with this in their id or title')
    .option('--timeout-ms <count>', 'longest wait for one answer', timeout, timeoutMsDefault)
    .option('--change-models', 'also unload a model and load it again, which others will notice', false)
    .option('--junit <file>', 'write a JUnit XML report')
    .option('--json <file>', 'write a JSON report')
    .addHelpText('after', details)
    .allowExcessArguments(false)
    .configureOutput({ writeOut: write, writeErr: write })
    .exitOverride();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return { ok: false, exitCode: error.exitCode === 0 ? 0 : 2 };
    throw error;
  }
  const given = command.opts<Given>();
  return {
    ok: true,
    options: {
      url: command.processedArgs[0] as URL,
      models: given.model ?? [],
      sampleFiles: new Map(given.sample ?? []),
      headers: Object.fromEntries(given.header ?? []),
      filter: given.filter,
      level: given.level ?? [],
      timeoutMs: given.timeoutMs,
      mayChangeModels: given.changeModels,
      junitFile: given.junit,
      jsonFile: given.json,
    },
  };
}

function serverUrl(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('Give a URL of http or https.');
  url.pathname = url.pathname.replace(/\/v2\/?$/, '');
  return url;
}

function timeout(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= timeoutMsMax) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${timeoutMsMax}.`);
}

function append(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

function appendPair(mark: string) {
  return (
    text: string,
    before: readonly (readonly [string, string])[] = [],
  ): readonly (readonly [string, string])[] => {
    const at = text.indexOf(mark);
    if (at < 1) throw new InvalidArgumentError(`Give two parts with '${mark}' between them.`);
    return [...before, [text.slice(0, at).trim(), text.slice(at + 1).trim()]];
  };
}

function appendLevel(text: string, before: readonly Level[] = []): readonly Level[] {
  const level = levels.find((name) => name === text);
  if (level === undefined) throw new InvalidArgumentError(`Give one of ${levels.join(', ')}.`);
  return [...before, level];
}
