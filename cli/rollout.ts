/** `tidegate rollout watch`: the rollouts of a running gateway, live. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Output } from './output.ts';
import { watchRollouts, type WatchOptions } from './rollout/watch-rollouts.ts';
import { interruptible } from './terminal/interrupt.ts';

const defaultNode = 'http://127.0.0.1:8080';
const intervalDefaultMs = 1000;
const [intervalMsMin, intervalMsMax] = [100, 3_600_000];

export function registerRollout(program: Command, output: Output): void {
  const rollout = program
    .command('rollout')
    .description('look at the rollouts of a running gateway')
    .addHelpText('after', '\nExamples:\n  $ tidegate rollout watch iris');
  registerWatch(rollout, output);
}

function registerWatch(rollout: Command, output: Output): void {
  rollout
    .command('watch')
    .description('show how rollouts go, until Ctrl-C')
    .argument('[model]', 'only the rollouts of this model')
    .addOption(new Option('--node <url>', 'the gateway').default(defaultNode).argParser(nodeOption))
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
through a rollout by itself, so each has an answer of its own.

--until-done waits for the rollouts that are on, or, when there is none yet, for the first that begins. Completed is one
that went through its steps and waits for "tidegate promote", or was promoted before.

Examples:
  $ tidegate rollout watch
  $ tidegate rollout watch iris --node http://10.0.0.7:8080
  $ tidegate rollout watch iris --once --json
  $ timeout 6h tidegate rollout watch iris --until-done && tidegate promote iris`,
    )
    .action((model: string | undefined, options: WatchOptions) =>
      interruptible((signal) =>
        watchRollouts(model, options, { output, nowMs: Date.now, wait, fetch, signal }),
      ),
    );
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

function nodeOption(text: string): string {
  if (URL.canParse(text) && /^https?:\/\/[^/]/.test(text)) return text;
  throw new InvalidArgumentError(`Write the address of a gateway like ${defaultNode}.`);
}

function intervalOption(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= intervalMsMin && ms <= intervalMsMax) return ms;
  throw new InvalidArgumentError(
    `This is a whole number of milliseconds, ${intervalMsMin} to ${intervalMsMax}.`,
  );
}
