/**
 * What another replica brings, as far as it can be known: rows a second at each number of replicas, measured only while
 * there was more to do than they could, since at any other time the rows answered are simply those that were asked.
 * Cores that others use, memory bandwidth or an event loop at its end make further threads worthless; this sees all of them.
 */

/** Ticks at one number before it is believed. */
const measurementsMin = 3;
/** Those that are kept of each number; the middle one counts. */
const measurementsMax = 5;

export interface GainOptions {
  readonly gainMin: number;
  readonly gainRememberedMs: number;
}

export class ThroughputGain {
  readonly #options: GainOptions;
  /** By number of replicas. */
  readonly #measured = new Map<number, { readonly rates: number[]; atMs: number }>();

  constructor(options: GainOptions) {
    this.#options = options;
  }

  /** In a tick in which `replicas` had more to do than they could, `rowsPerSecond` were answered. */
  measured(replicas: number, rowsPerSecond: number, nowMs: number): void {
    const known = this.#measured.get(replicas);
    const isKnown = known !== undefined && nowMs - known.atMs <= this.#options.gainRememberedMs;
    const rates = isKnown ? known.rates : [];
    rates.push(rowsPerSecond);
    if (rates.length > measurementsMax) rates.shift();
    this.#measured.set(replicas, { rates, atMs: nowMs });
  }

  /** The number behind which each further replica brought too little; undefined while that is not known. */
  ceiling(nowMs: number): number | undefined {
    const { gainMin, gainRememberedMs } = this.#options;
    const known = [...this.#measured]
      .filter(([, { rates, atMs }]) => rates.length >= measurementsMin && nowMs - atMs <= gainRememberedMs)
      .map(([replicas, { rates }]) => ({ replicas, rate: middleOf(rates) }))
      .sort((one, other) => one.replicas - other.replicas);
    for (const [index, { replicas, rate }] of known.entries()) {
      const next = known[index + 1];
      if (next === undefined) return undefined;
      const gained = (next.rate - rate) / (next.replicas - replicas);
      // Of what one of them did so far, so that the third is not held against both others together.
      if (gained < (gainMin * rate) / replicas) return replicas;
    }
    return undefined;
  }
}

function middleOf(rates: readonly number[]): number {
  const ascending = rates.toSorted((one, other) => one - other);
  return ascending[(ascending.length - 1) >> 1] ?? 0;
}
