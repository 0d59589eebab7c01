/** The command line of the bench. */
import { Command, InvalidArgumentError } from 'commander';

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly only: readonly string[];
  /** Undefined for a new file in bench/results. */
  readonly json: string | undefined;
}

const details = `
Measures, one after the other and in rounds: the gateway, bare uWebSockets.js with a fixed answer, Fastify with
onnxruntime-web, and onnxruntime-web alone. Load comes from wrk (where it is installed), from autocannon, and from
our own WebSocket client. The series, for --only:
  json-{1,64,256}-wrk    json-{64,256}-autocannon    stream-{1x256,4x64}    loop

Examples:
  npm run bench                                  the comparison with peers, about 3.5 minutes
  npm run bench -- --quick                       one short round, to see that it works; its speeds mean little
  npm run bench -- --only 256-wrk --rounds 7     one comparison, thoroughly
  npm run bench -- --only 1-wrk,loop             latency, one request at a time

The WebSocket against a bare echo: npm run bench -- stream --help; flame graphs: npm run bench -- profile --help

Scenarios, such as overload, start or reload: npm run bench -- --scenario all --help

Large tensors, binary against JSON, and what large JSON bodies cost others: node dist/bench/tensor-bodies.js

bench/README.md says how to read the numbers.`;

/** Ends the process for --help and for options that make no sense, with a message. `args` without node and script. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .description(
      'Compares the gateway with its limits and with the plain alternative, in one run on this machine.',
    )
    .option('--quick', 'one round of one second a run and fewer series', false)
    .option('--rounds <count>', 'how often everything is measured (default: 3, with --quick 1)', wholeNumber)
    .option('--seconds <count>', 'length of each measured run (default: 2, with --quick 1)', wholeNumber)
    .option('--only <parts>', 'series whose name contains one of these, separated by commas', list, [])
    .option('--json <file>', 'where the result goes (default: a new file in bench/results)')
    .addHelpText('after', details)
    .allowExcessArguments(false);
  const given = command
    .parse(args, { from: 'user' })
    .opts<{ quick: boolean; rounds?: number; seconds?: number; only: readonly string[]; json?: string }>();
  const { quick, only, json } = given;
  return {
    quick,
    rounds: given.rounds ?? (quick ? 1 : 3),
    seconds: given.seconds ?? (quick ? 1 : 2),
    warmUpSeconds: quick ? 0 : 1,
    only,
    json,
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('Give a whole number from 1 to 1000.');
}

function list(text: string): readonly string[] {
  const parts = text.split(',').filter((part) => part !== '');
  if (parts.length > 0) return parts;
  throw new InvalidArgumentError('Name at least one part.');
}
