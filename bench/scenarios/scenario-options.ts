/** The command line of the scenarios: `npm run bench -- --scenario <name>`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type ModelName, modelNames } from './field.ts';
import { batching } from './batching-scenario.ts';
import { capacity, large, largeBatches, open, overload } from './load-scenarios.ts';
import { reload } from './change-scenarios.ts';
import { hotCold } from './hot-cold-scenario.ts';
import { kills } from './kill-scenario.ts';
import { memory } from './memory-scenario.ts';
import type { ModelPair, Scenario } from './scenario.ts';
import { churn, reloads } from './soak-scenarios.ts';
import { start } from './start-scenario.ts';

export const scenarios: readonly Scenario[] = [
  capacity,
  open,
  overload,
  hotCold,
  start,
  reload,
  batching,
  memory,
  large,
  largeBatches,
  churn,
  reloads,
  kills,
];

export interface ScenarioOptions {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rates: readonly number[];
  readonly changes: number;
  readonly models: readonly ModelName[] | undefined;
  readonly connections: number | undefined;
  readonly pair: ModelPair | undefined;
  readonly kills: number;
  readonly seed: number;
  readonly isQuick: boolean;
  readonly mayInstall: boolean;
  /** Without an ending; .json, .csv and .html are added. Undefined for a new one in bench/results. */
  readonly out: string | undefined;
}

const ratesDefault = [200, 1000, 4000];

/** Ends the process for --help and for options that make no sense, with a message. */
export function parseScenarioOptions(args: readonly string[]): ScenarioOptions {
  const given = new Command('npm run bench --')
    .description('Measures scenarios, in rounds, and writes JSON, CSV and one HTML page with plots.')
    .addOption(
      new Option('--scenario <names>', 'some of them, with commas between, or all (without the long ones)')
        .argParser(namesOf)
        .makeOptionMandatory(),
    )
    .option('--quick', 'one round, half a second a run, tiny large models: to see that it works', false)
    .option('--rounds <count>', 'how often everything is measured (default: 5, with --quick 1)', whole)
    .option('--seconds <number>', 'length of each measured run (default: 5, with --quick 0.5)', length)
    .option(
      '--rates <list>',
      'requests per second of the scenario open (default: 200,1000,4000, with --quick 100)',
      rates,
    )
    .option(
      '--changes <count>',
      'of the scenarios reload, churn and reloads: models are changed so often (default: 10, with --quick 1)',
      many,
    )
    .option(
      '--kills <count>',
      'of the scenario kills: so many threads are ended (default: 200, with --quick 5)',
      whole,
    )
    .option('--models <list>', `of the scenario capacity (default: ${modelNames.join(',')})`, models)
    .option(
      '--connections <count>',
      'of the scenario capacity (default: 64 for iris, fewer for others)',
      whole,
    )
    .option(
      '--hot <model>',
      'of the scenario hot-cold: only one pair, with this hot model (default: several pairs)',
      modelOf,
    )
    .option(
      '--cold <model>',
      'of the scenario hot-cold: only one pair, with this cold model; it may be the same as --hot',
      modelOf,
    )
    .option(
      '--seed <number>',
      'of the scenario kills: which thread, and when (default: another one each time)',
      seed,
    )
    .option('--no-install', 'leave out peers that would have to be installed (onnxruntime-node)')
    .option('--out <path>', 'where results go, without an ending (default: a new name in bench/results)')
    .addHelpText(
      'after',
      `\nScenarios:\n${scenarios.map(({ name, title, isLong }) => `  ${name.padEnd(13)} ${title}${isLong === true ? ' (long)' : ''}`).join('\n')}\n`,
    )
    .allowExcessArguments(false)
    .parse(args, { from: 'user' })
    .opts<{
      scenario: readonly string[];
      quick: boolean;
      rounds?: number;
      seconds?: number;
      rates?: readonly number[];
      changes?: number;
      models?: readonly ModelName[];
      connections?: number;
      hot?: ModelName;
      cold?: ModelName;
      kills?: number;
      seed?: number;
      install: boolean;
      out?: string;
    }>();
  const { quick, hot, cold } = given;
  const short = scenarios.filter(({ isLong }) => isLong !== true).map(({ name }) => name);
  const wanted = given.scenario.flatMap((name) => (name === 'all' ? short : [name]));
  return {
    scenarios: scenarios.filter(({ name }) => wanted.includes(name)),
    rounds: given.rounds ?? (quick ? 1 : 5),
    seconds: given.seconds ?? (quick ? 0.5 : 5),
    warmUpSeconds: quick ? 0.2 : 2,
    rates: given.rates ?? (quick ? [100] : ratesDefault),
    changes: given.changes ?? (quick ? 1 : 10),
    models: given.models,
    connections: given.connections,
    pair:
      hot === undefined && cold === undefined ? undefined : { hot: hot ?? 'mobilenet', cold: cold ?? 'mlp' },
    kills: given.kills ?? (quick ? 5 : 200),
    seed: given.seed ?? Date.now() % 2 ** 31,
    isQuick: quick,
    mayInstall: given.install,
    out: given.out,
  };
}

function namesOf(text: string): readonly string[] {
  const known = ['all', ...scenarios.map(({ name }) => name)];
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`There is no scenario ${unknown}. There are: ${known.join(', ')}.`);
}

function models(text: string): readonly ModelName[] {
  return text.split(',').map(modelOf);
}

function modelOf(name: string): ModelName {
  const known = modelNames.find((each) => each === name.trim());
  if (known !== undefined) return known;
  throw new InvalidArgumentError(`There is no model ${name.trim()}. There are: ${modelNames.join(', ')}.`);
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('Give a whole number from 1 to 1000.');
}

function many(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 100_000) return value;
  throw new InvalidArgumentError('Give a whole number from 1 to 100000.');
}

function seed(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new InvalidArgumentError('Give a whole number from 0 to 2147483647.');
}

function length(text: string): number {
  const value = Number(text);
  if (value >= 0.1 && value <= 3600) return value;
  throw new InvalidArgumentError('Give seconds, from 0.1 to 3600.');
}

function rates(text: string): readonly number[] {
  const values = text.split(',').map(Number);
  if (values.every((value) => value >= 1 && value <= 1_000_000)) return values;
  throw new InvalidArgumentError('Give rates with commas between: 500,1000,2000.');
}
