/** The middle of a few repeated numbers and how far they lie apart. Pure. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Throws for an empty list: there is no number to show then. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError('no values');
  const upper = sorted[Math.floor(sorted.length / 2)] ?? max;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  return { median: (lower + upper) / 2, min, max };
}

/** `0.61 (0.58-0.64)`; only the middle when all are the same. */
export function formatSpread({ median, min, max }: Spread, format: (value: number) => string): string {
  const range = `${format(min)}-${format(max)}`;
  return format(min) === format(max) ? format(median) : `${format(median)} (${range})`;
}

/** Whole numbers with separators from 100 on, otherwise two digits that matter. */
export function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
