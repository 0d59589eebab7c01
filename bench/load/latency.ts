/** Latency samples of one run, kept as they are, and the percentiles that are reported. Pure. */

export interface LatencySummary {
  /** Microseconds, like all of these. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

export class LatencySamples {
  #samples = new Float64Array(1 << 16);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  record(us: number): void {
    if (this.#count === this.#samples.length) {
      const larger = new Float64Array(this.#samples.length * 2);
      larger.set(this.#samples);
      this.#samples = larger;
    }
    this.#samples[this.#count++] = us;
  }

  /** Zeros when there are no samples. */
  summary(): LatencySummary {
    const sorted = this.#samples.slice(0, this.#count).sort();
    return { p50Us: rank(sorted, 0.5), p99Us: rank(sorted, 0.99), p999Us: rank(sorted, 0.999) };
  }
}

/** Nearest rank: the smallest sample that at least `share` of all samples do not exceed. */
function rank(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
