/**
 * Latencies of a run as counts in buckets whose width grows with the value, after Gil Tene's HdrHistogram: a percentile
 * is off by at most `relativeErrorMax`, memory does not grow with the number of samples, and histograms of windows,
 * rounds and threads can be added. Pure.
 *
 * A value is a whole number of units. Up to 512 units each has a bucket of its own; from there on every power of two is
 * divided into 256 buckets, and a bucket stands for its middle.
 */

/** Buckets of a power of two. */
const stepBits = 8;
const steps = 1 << stepBits;
const unitsOfUs = 10;
/** Longer ones count as this: 429 seconds. `maxUs` knows them all the same. */
const unitsMax = 2 ** 32 - 1;

/** Of a percentile, from 51.2 us on; below it is off by at most 0.05 us. */
export const relativeErrorMax: number = 0.5 / steps;

export interface LatencySummary {
  /** Microseconds, like all of these. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

export class LatencyHistogram {
  readonly #counts = new Float64Array((32 - stepBits) * steps + steps);
  #count = 0;
  #sumUs = 0;
  #maxUs = 0;

  get count(): number {
    return this.#count;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** 0 when there are no samples, as everything here. */
  get meanUs(): number {
    return this.#count === 0 ? 0 : this.#sumUs / this.#count;
  }

  /** Values below 0, which a clock that was set back gives, count as 0. */
  record(us: number): void {
    const value = Math.max(0, us);
    const index = bucketOf(Math.min(unitsMax, Math.round(value * unitsOfUs)));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
    this.#sumUs += value;
    if (value > this.#maxUs) this.#maxUs = value;
  }

  /** Adds everything that `other` holds. */
  add(other: LatencyHistogram): void {
    for (const [index, count] of other.#counts.entries()) {
      if (count > 0) this.#counts[index] = (this.#counts[index] ?? 0) + count;
    }
    this.#count += other.#count;
    this.#sumUs += other.#sumUs;
    this.#maxUs = Math.max(this.#maxUs, other.#maxUs);
  }

  /** Nearest rank: the smallest value that at least `share` (0 to 1) of all samples do not exceed. */
  percentileUs(share: number): number {
    const rank = Math.max(1, Math.ceil(this.#count * share));
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      // The middle of the highest bucket may lie above everything that was seen.
      if (seen >= rank && count > 0) return Math.min(this.#maxUs, middleOf(index) / unitsOfUs);
    }
    return 0;
  }

  summary(): LatencySummary {
    const [p50Us, p99Us, p999Us] = [0.5, 0.99, 0.999].map((share) => this.percentileUs(share));
    return { p50Us: p50Us ?? 0, p99Us: p99Us ?? 0, p999Us: p999Us ?? 0 };
  }
}

function bucketOf(units: number): number {
  const shift = Math.max(0, 32 - Math.clz32(units) - (stepBits + 1));
  return shift * steps + (units >>> shift);
}

function middleOf(index: number): number {
  const shift = Math.max(0, Math.floor(index / steps) - 1);
  return (index - shift * steps) * 2 ** shift + (2 ** shift - 1) / 2;
}
