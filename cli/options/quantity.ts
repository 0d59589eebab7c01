/** Quantities on the command line: options parsed with a message that shows how to write them, and text for people. */
import { InvalidArgumentError } from 'commander';
import { cpuLimitMillisMax, memoryLimitBytesMax } from '../../registry-store/manifest/deployment.ts';
import { parseCoresMillis, parseShareBps, parseSizeBytes } from '../../registry-store/platform/quantity.ts';

const kibi = 1024;

/** For an option that takes a size; the text as it was, once it is known to be one. */
export function sizeOption(text: string): string {
  if (parseSizeBytes(text) !== undefined) return text;
  throw new InvalidArgumentError('Write a size like 512Mi, 2GB or a number of bytes.');
}

/** `1,5,25` as shares in hundredths of a percent; that they rise is checked where they are signed. */
export function sharesOption(text: string): readonly number[] {
  const shares = text.split(',').map((part) => parseShareBps(part.trim()));
  if (shares.every((bps) => bps !== undefined)) return shares;
  throw new InvalidArgumentError('Write percentages with commas between: 1,5,25,50,100.');
}

const durationUnitsMs = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds from `90s`, `10m`, `2h`, `1d`. */
export function durationOption(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = durationUnitsMs.get(unit ?? '');
  if (count !== undefined && unitMs !== undefined) return Number(count) * unitMs;
  throw new InvalidArgumentError('Write a time like 30s, 10m, 2h or 1d.');
}

/** The same, and more than no time at all: for how long something may count. */
export function lifetimeOption(text: string): number {
  const lifetimeMs = durationOption(text);
  if (lifetimeMs > 0) return lifetimeMs;
  throw new InvalidArgumentError(
    'With no time at all it would have expired at once; write one like 2h or 90d.',
  );
}

export function coresOption(text: string): string {
  if ((parseCoresMillis(text) ?? Infinity) <= cpuLimitMillisMax) return text;
  throw new InvalidArgumentError(`Write cores like 0.5, 2 or 1500m, up to ${cpuLimitMillisMax / 1000}.`);
}

/** For how much of a thing a deployment may have. */
export function memoryOption(text: string): string {
  if ((parseSizeBytes(text) ?? Infinity) <= memoryLimitBytesMax) return text;
  throw new InvalidArgumentError('Write a size like 512Mi, 2GB or a number of bytes, up to 1024Ti.');
}

/** An option with one more word, which takes back what was said before. */
export type OrNone<Value> = Value | 'none';

export function orNone<Value>(parse: (text: string) => Value): (text: string) => OrNone<Value> {
  return (text) => (text === 'none' ? text : parse(text));
}

/** A percentage as a number. */
export function shareOption(text: string): number {
  const bps = parseShareBps(text);
  if (bps !== undefined) return bps / 100;
  throw new InvalidArgumentError('A share is a percentage from 0 to 100, in steps of 0.01.');
}

export function countOption(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('This is a whole number from 1.');
}

/** Like `countOption`, and 0 for none. */
export function callersOption(text: string): number {
  const count = Number(text);
  if (/^\d{1,7}$/.test(text) && count <= 1_000_000) return count;
  throw new InvalidArgumentError('This is a whole number from 0 to 1000000.');
}

export function percentOption(text: string): number {
  const percent = Number(text.replace(/ ?%$/, ''));
  if (text !== '' && Number.isInteger(percent) && percent >= 1 && percent <= 100) return percent;
  throw new InvalidArgumentError('This is a whole percentage from 1 to 100.');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `29.4 MiB`: three digits are enough for people. */
export function sizeText(bytes: number): string {
  let [value, index] = [bytes, 0];
  while (value >= kibi && index < units.length - 1) {
    value /= kibi;
    index += 1;
  }
  return `${index === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[index] ?? 'B'}`;
}

/** `5%`, `0.25%` from hundredths of a percent. */
export function shareText(bps: number): string {
  return `${bps / 100}%`;
}

/** `1.5` from thousandths of a core. */
export function coresText(millis: number): string {
  return String(millis / 1000);
}

/** `1 version`, `3 versions` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
