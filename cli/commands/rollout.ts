/** `tidegate rollout watch` and `status`: the rollouts of running gateways, live or once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Output } from '../output.ts';
import { watchRollouts, type WatchOptions } from '../rollout/watch-rollouts.ts';
import { interruptible } from '../terminal/interrupt.ts';

const defaultNode = 'http://127.0.0.1:8080';
const intervalDefaultMs = 1000;
const [intervalMsMin, intervalMsMax] = [100, 3_600_000];

export function registerRollout(program: Command, output: Output): void {
  const rollout = program
    .command('rollout')
    .description('look at the rollouts of running gateways')
    .addHelpText('after', '\nExamples:\n  $ tidegate rollout watch iris');
  registerWatch(rollout, output);
  registerStatus(rollout, output);
}

function registerWatch(rollout: Command, output: Output): void {
  rollout
    .command('watch')
    .description('show how rollouts go, until Ctrl-C')
    .argument('[model]', 'only the rollouts of this model')
    .addOption(nodeOption())
    .addOption(
      new Option('--interval-ms <ms>', 'how often to ask')
        .default(intervalDefaultMs)
        .argParser(intervalOption),
    )
    .option('--once', 'show them once and end')
    .addOption(
      new Option('--until-done', 'end with 0 when they completed, with 1 when not').conflicts('once'),
    )
    .option('--json', 'print JSON: one value with --once, else a line for each report that differs')
    .addHelpText(
      'after',
      `
Draws in place at a terminal; elsewhere it prints a block when something else than the counts changed. Each gateway goes
through a rollout by itself, so each has an answer of its own. With --node several times, all are shown, and the verdict
on what they counted together, on which no gateway acts; --until-done waits for all of them.

--until-done waits for the rollouts that are on, or, when there is none yet, for the first that begins. Completed is one
that went through its steps and waits for "tidegate promote", or was promoted before.

Examples:
  $ tidegate rollout watch
  $ tidegate rollout watch iris --node http://10.0.0.7:8080
  $ tidegate rollout watch iris --once --json
  $ tidegate rollout watch iris --node http://10.0.0.7:8080 --node http://10.0.0.8:8080
  $ timeout 6h tidegate rollout watch iris --until-done && tidegate promote iris`,
    )
    .action((model: string | undefined, options: WatchOptions) => watch(model, options, output));
}

function registerStatus(rollout: Command, output: Output): void {
  rollout
    .command('status')
    .description('show how rollouts stand, once')
    .argument('[model]', 'only the rollouts of this model')
    .addOption(nodeOption())
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The same as "tidegate rollout watch --once".

Examples:
  $ tidegate rollout status iris
  $ tidegate rollout status iris --node http://10.0.0.7:8080 --node http://10.0.0.8:8080 --json`,
    )
    .action((model: string | undefined, options: Pick<WatchOptions, 'node' | 'json'>) =>
      watch(model, { ...options, intervalMs: intervalDefaultMs, once: true }, output),
    );
}

function watch(model: string | undefined, options: WatchOptions, output: Output): Promise<void> {
  const node = options.node.length === 0 ? [defaultNode] : [...new Set(options.node)];
  return interruptible((signal) =>
    watchRollouts(model, { ...options, node }, { output, nowMs: Date.now, wait, fetch, signal }),
  );
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

function nodeOption(): Option {
  return new Option('--node <url>', 'a gateway; may be repeated')
    .default([], defaultNode)
    .argParser(collectNodes);
}

/** More than these are asked about in parts, or by what watches metrics. */
const nodesMax = 64;

function collectNodes(text: string, before: readonly string[]): readonly string[] {
  if (before.length >= nodesMax) throw new InvalidArgumentError(`Name ${nodesMax} gateways at most.`);
  if (URL.canParse(text) && /^https?:\/\/[^/]/.test(text)) return [...before, text];
  throw new InvalidArgumentError(`Write the address of a gateway like ${defaultNode}.`);
}

function intervalOption(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= intervalMsMin && ms <= intervalMsMax) return ms;
  throw new InvalidArgumentError(
    `This is a whole number of milliseconds, ${intervalMsMin} to ${intervalMsMax}.`,
  );
}
