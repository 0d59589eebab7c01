/** The command line of `tidegate bench` as values: every check of one option or of several together is here. */
import { InvalidArgumentError } from 'commander';
import type { Arrivals } from './load/arrival-schedule.ts';
import { connectionsMax, streamRoomMax } from './load/lane-pool.ts';
import type { Protocol } from './load/prepared-requests.ts';
import { parseTarget, type Target } from './load/target.ts';
import type { LoadPoint } from './measured-point.ts';
import { allPoints, parsePoints, type Points, pointsMax } from './plan/points.ts';

export const formats = ['table', 'json', 'csv'] as const;

/** As commander hands them over; each was parsed by one of the functions below. */
export interface GivenOptions {
  readonly model: string;
  readonly version?: string;
  readonly protocol: Protocol;
  readonly mode?: 'closed' | 'open';
  readonly concurrency?: Points;
  readonly rate?: Points;
  readonly arrivals?: Arrivals;
  readonly connections?: number;
  readonly duration: number;
  readonly warmup: number;
  readonly rows?: number;
  readonly input?: string;
  readonly deadline?: number;
  readonly latencyLimit?: number;
  readonly percentile: number;
  readonly stability?: number;
  readonly seed: number;
  readonly header: Readonly<Record<string, string>>;
  readonly format: (typeof formats)[number];
  readonly report?: string;
}

export type LoadPlan =
  | { readonly kind: 'points'; readonly points: readonly LoadPoint[] }
  | { readonly kind: 'search'; readonly from: number; readonly to: number };

export interface CheckedOptions {
  readonly target: Target;
  readonly plan: LoadPlan;
  readonly arrivals: Arrivals;
  readonly connections: number;
  readonly rows: number;
}

const concurrencyDefault = 16;
/** Of a search without --rate. */
const searchRates = { from: 10, to: 100_000 };
const connectionsDefault: Readonly<Record<'http' | 'stream', number>> = { http: 128, stream: 4 };

/** Throws InvalidArgumentError for what makes no sense, with what to do instead. */
export function checkOptions(address: string, given: GivenOptions): CheckedOptions {
  const target = parseTarget(address, given.header);
  if (target === undefined) refuse(`${address} is no http:// or https:// address.`);
  const { protocol, report, input, rows } = given;
  if (report !== undefined && !/\.(html|svg)$/.test(report))
    refuse('--report takes a file that ends in .html or .svg.');
  if (input !== undefined && rows !== undefined)
    refuse('--rows is for random tensors; the requests of --input have their rows.');
  const isStream = protocol === 'stream';
  const connections = given.connections ?? connectionsDefault[isStream ? 'stream' : 'http'];
  return {
    target,
    plan: planOf(given, isStream ? connections * streamRoomMax : connectionsMax),
    arrivals: given.arrivals ?? 'constant',
    connections,
    rows: rows ?? 1,
  };
}

function planOf(given: GivenOptions, concurrencyMax: number): LoadPlan {
  const { mode = given.rate !== undefined || given.latencyLimit !== undefined ? 'open' : 'closed' } = given;
  if (mode === 'closed') {
    if (given.rate !== undefined) refuse('--rate is for --mode open; a closed loop takes --concurrency.');
    if (given.arrivals !== undefined)
      refuse('--arrivals is for --mode open: a closed loop sends when it is answered.');
    if (given.latencyLimit !== undefined) {
      refuse(
        '--latency-limit is for --mode open: how long a closed loop waits says little of what callers see.',
      );
    }
    const values =
      given.concurrency === undefined ? [concurrencyDefault] : listOf(given.concurrency, '--concurrency');
    const wrong = values.find((value) => !Number.isInteger(value) || value > concurrencyMax);
    if (wrong !== undefined) {
      refuse(
        `--concurrency takes whole numbers up to ${concurrencyMax} here; ${wrong} is none. On a stream more --connections have more room.`,
      );
    }
    return { kind: 'points', points: values.map((value) => ({ kind: 'closed', value })) };
  }
  if (given.concurrency !== undefined)
    refuse('--concurrency is for --mode closed; an open loop takes --rate.');
  if (given.latencyLimit !== undefined && given.rate?.kind !== 'values') {
    const { from, to } = given.rate ?? searchRates;
    return { kind: 'search', from, to };
  }
  if (given.rate === undefined) refuse('--mode open needs a --rate, or a --latency-limit to search one for.');
  return { kind: 'points', points: listOf(given.rate, '--rate').map((value) => ({ kind: 'open', value })) };
}

function listOf(points: Points, option: string): readonly number[] {
  const values = allPoints(points);
  if (values !== undefined) return values;
  return refuse(`${option} names more than ${pointsMax} values; give a step, as in 100:2000:100.`);
}

function refuse(message: string): never {
  throw new InvalidArgumentError(message);
}

export function pointsOption(text: string): Points {
  return (
    parsePoints(text) ??
    refuse(`Write 8, a list 1,8,64 or a range 1:16 or 100:500:100, of at most ${pointsMax} values.`)
  );
}

const unitsSeconds = new Map([
  ['ms', 0.001],
  ['s', 1],
  ['m', 60],
]);
const secondsMax = 3600;

/** Seconds from `500ms`, `2.5s`, `1m`; 0 is allowed. */
export function timeOption(text: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const seconds = Number(count) * (unitsSeconds.get(unit ?? '') ?? NaN);
  if (seconds <= secondsMax) return seconds;
  return refuse('Write a time like 500ms, 5s or 1m, an hour at most.');
}

/** Not 0. */
export function lengthOption(text: string): number {
  const seconds = timeOption(text);
  return seconds >= 0.05 ? seconds : refuse('This takes at least 50ms.');
}

export function percentileOption(text: string): number {
  const percentile = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && percentile >= 1 && percentile < 100) return percentile;
  return refuse('A percentile is a number from 1 to below 100, such as 99 or 99.9.');
}

/** A share from a percentage. */
export function stabilityOption(text: string): number {
  const percent = Number(text.replace(/%$/, ''));
  if (percent > 0 && percent <= 100) return percent / 100;
  return refuse('This is a percentage from above 0 to 100, such as 10.');
}

export function connectionsOption(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= connectionsMax) return count;
  return refuse(`This is a whole number from 1 to ${connectionsMax}.`);
}

export function seedOption(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed < 2 ** 32) return seed;
  return refuse('A seed is a whole number below 4294967296.');
}

export function headerOption(
  text: string,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [, name, value] = /^([\w-]+): *([\x20-\x7e]+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) return refuse("Write a header as 'Name: value'.");
  return { ...before, [name]: value };
}
