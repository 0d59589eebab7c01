/** `tidegate bench`: puts load on a running server and says what it can do and how long callers wait. */
import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { runBench } from '../bench/bench-run.ts';
import { arrivalKinds } from '../bench/load/arrival-schedule.ts';
import { protocols } from '../bench/load/prepared-requests.ts';
import { problemsOf } from '../bench/measured-point.ts';
import {
  checkOptions,
  connectionsOption,
  formats,
  type GivenOptions,
  headerOption,
  lengthOption,
  percentileOption,
  pointsOption,
  seedOption,
  stabilityOption,
  timeOption,
} from '../bench/options.ts';
import {
  type BenchRun,
  csvReport,
  htmlReport,
  jsonReport,
  notes,
  svgReport,
  tableRows,
} from '../bench/report/bench-report.ts';
import { AnsweredNo } from '../failure.ts';
import { countOption } from '../options/quantity.ts';
import { columns, type Output } from '../output.ts';
import { packageVersion } from '../package-version.ts';
import { Interrupted, interruptible } from '../terminal/interrupt.ts';
import { progressFor } from '../terminal/progress.ts';

export function registerBench(program: Command, output: Output): void {
  program
    .command('bench')
    .description('put load on a running gateway and measure it')
    .argument('<url>', 'the gateway, or any server of the Open Inference Protocol')
    .requiredOption('--model <name>', 'the model that is asked')
    .option('--version <version>', 'its version (default: the one that is live)')
    .addOption(new Option('--protocol <name>', 'how it is asked').choices(protocols).default('http-json'))
    .addOption(
      new Option(
        '--mode <mode>',
        'a fixed number under way, or a fixed rate (default: closed, open with --rate)',
      ).choices(['closed', 'open']),
    )
    .addOption(
      new Option(
        '--concurrency <points>',
        'closed: requests under way, 8 or 1,8,64 or 1:16:5 (default: 16)',
      ).argParser(pointsOption),
    )
    .addOption(
      new Option('--rate <points>', 'open: requests per second, written like that').argParser(pointsOption),
    )
    .addOption(
      new Option('--arrivals <kind>', 'open: how they are spread (default: constant)').choices(arrivalKinds),
    )
    .addOption(
      new Option(
        '--connections <count>',
        'connections of an open loop (default: 128), WebSockets (default: 4)',
      ).argParser(connectionsOption),
    )
    .addOption(
      new Option('--duration <time>', 'length of a measured window').argParser(lengthOption).default(5, '5s'),
    )
    .addOption(
      new Option('--warmup <time>', 'load before it that is not counted')
        .argParser(timeOption)
        .default(1, '1s'),
    )
    .addOption(new Option('--rows <count>', 'rows of a request (default: 1)').argParser(countOption))
    .option('--input <file>', 'JSON requests to send in turn, instead of random tensors')
    .addOption(
      new Option('--deadline <time>', 'sent with each request: how long it may take').argParser(lengthOption),
    )
    .addOption(
      new Option(
        '--latency-limit <time>',
        'find the highest rate at which the percentile keeps to this',
      ).argParser(timeOption),
    )
    .addOption(
      new Option('--percentile <number>', 'the percentile of the limit')
        .argParser(percentileOption)
        .default(99),
    )
    .addOption(
      new Option(
        '--stability <percent>',
        'repeat windows until the last three agree to this; the tenth is the last',
      ).argParser(stabilityOption),
    )
    .addOption(
      new Option('--seed <number>', 'of random tensors and Poisson arrivals')
        .argParser(seedOption)
        .default(1),
    )
    .addOption(
      new Option('--header <text>', "'Name: value', sent always; may be repeated")
        .argParser(headerOption)
        .default({}, 'none'),
    )
    .addOption(new Option('--format <name>', 'what is printed').choices(formats).default('table'))
    .option('--report <file>', 'a drawn report: .html or .svg')
    .addHelpText('after', details)
    .action(async (url: string, given: GivenOptions) => {
      await bench(url, given, output);
    });
}

const details = `
Latencies of an open loop count from the time at which a request was to be sent, so that a stall of the server shows in
full. The generator watches itself: a run in which it was late, or had no time left, is not valid and ends with 1.
Where the server has statistics, the latency is split into its queue, its compute and everything else.

Ends with 0 when every request was answered or refused in order and a --latency-limit holds, with 1 when not, with 130
after Ctrl-C, which prints what was measured so far. With --latency-limit a range of rates is searched (default:
10:100000), while rates that are named one by one must all hold.

Examples:
  $ tidegate bench http://127.0.0.1:8080 --model iris
  $ tidegate bench http://127.0.0.1:8080 --model iris --protocol stream --concurrency 1,16,256 --stability 10
  $ tidegate bench http://127.0.0.1:8080 --model digits --rate 100:1000:100 --arrivals poisson --report rates.html
  $ tidegate bench http://127.0.0.1:8080 --model digits --latency-limit 10ms --percentile 99.9
  $ tidegate bench https://models.example.com --model fraud --rate 500 --latency-limit 20ms --format json`;

async function bench(url: string, given: GivenOptions, output: Output): Promise<void> {
  const checked = checkOptions(url, given);
  const bar = progressFor(output, {}, 'things');
  let step: readonly [string, number, number | undefined] = ['connecting', 0, undefined];
  const tick = setInterval(() => {
    bar.step(...step);
  }, 250);
  const run = await interruptible((signal) =>
    runBench({
      given,
      checked,
      signal,
      progress: (...now) => (step = now),
      tidegateVersion: packageVersion(),
    }),
  ).finally(() => {
    clearInterval(tick);
    bar.end();
  });
  output.out(textOf(run, given));
  if (given.report !== undefined) {
    await writeFile(given.report, given.report.endsWith('.svg') ? svgReport(run) : htmlReport(run));
    output.err(`The report is ${given.report}.\n`);
  }
  if (run.isInterrupted) throw new Interrupted();
  const isGood = run.points.every((measured) => isUsable(measured, run)) && run.limit?.isHeld !== false;
  if (!isGood) throw new AnsweredNo();
}

/** A search goes beyond what the server and the generator can do: there only its result counts. */
function isUsable(measured: BenchRun['points'][number], { limit }: BenchRun): boolean {
  return limit?.rate !== undefined || problemsOf(measured).length === 0;
}

function textOf(run: BenchRun, { format }: GivenOptions): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(jsonReport(run), undefined, 2)}\n`;
    case 'csv':
      return csvReport(run);
    case 'table': {
      const table = run.points.length === 0 ? [] : columns(tableRows(run));
      return [...table, ...notes(run)].map((line) => `${line}\n`).join('');
    }
  }
}
