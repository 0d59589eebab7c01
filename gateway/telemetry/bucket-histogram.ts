/**
 * A histogram with fixed bounds, cheap enough for every request: one short search and three additions, no labels, no
 * allocation. Counts are per bucket; cumulative counts are made when somebody reads them.
 */

export class BucketHistogram {
  /** Ascending upper bounds, inclusive, in the unit of what is recorded. */
  readonly bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#count;
  }

  record(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
    this.#count += 1;
  }

  /** How many values were at most each bound, in the order of the bounds. */
  cumulative(): number[] {
    let total = 0;
    return this.bounds.map((_, bucket) => (total += this.#counts[bucket] ?? 0));
  }
}
