/**
 * The service times that few answers of the stable version exceed: cut points at its own p50, p90, p95 and p99. They are
 * set once, from a sample taken before anything is compared, and stay: any fixed cut point compares fairly, one that
 * moves with the data does not.
 */

export const latencyQuantiles = [0.5, 0.9, 0.95, 0.99] as const;

/** A log-linear histogram of microseconds: 16 buckets for each doubling, so a cut point is at most 1/16 off. */
const bucketsPerDoubling = 16;
const doublings = 32;

function bucketOf(milliseconds: number): number {
  const microseconds = Math.min(Math.max(milliseconds, 0) * 1000, 2 ** 32 - 1) >>> 0;
  if (microseconds < bucketsPerDoubling) return microseconds;
  const shift = 27 - Math.clz32(microseconds);
  return shift * bucketsPerDoubling + (microseconds >>> shift);
}

/** The largest time of a bucket, in milliseconds. */
function upperMs(bucket: number): number {
  const doubling = Math.max(0, Math.floor(bucket / bucketsPerDoubling) - 1);
  return ((bucket - doubling * bucketsPerDoubling + 1) * 2 ** doubling) / 1000;
}

export class LatencyCuts {
  readonly #sampleSize: number;
  readonly #buckets = new Uint32Array(bucketsPerDoubling * doublings);
  #seen = 0;
  #cutsMs: readonly number[] | undefined;

  constructor(sampleSize: number) {
    this.#sampleSize = sampleSize;
  }

  /** Set when the sample is complete; ascending. */
  get cutsMs(): readonly number[] | undefined {
    return this.#cutsMs;
  }

  /** Those of before a restart; without any, they are learned. */
  resume(cutsMs: readonly number[] | null): void {
    if (cutsMs?.length === latencyQuantiles.length) this.#cutsMs = cutsMs;
  }

  /** A service time of the stable version; ignored once the cut points are set. */
  learn(serviceMs: number): void {
    if (this.#cutsMs !== undefined || !Number.isFinite(serviceMs)) return;
    const bucket = bucketOf(serviceMs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#seen += 1;
    if (this.#seen >= this.#sampleSize) this.#cutsMs = latencyQuantiles.map((part) => this.#quantileMs(part));
  }

  #quantileMs(part: number): number {
    let seen = 0;
    const bucket = this.#buckets.findIndex((count) => (seen += count) >= part * this.#seen);
    return upperMs(bucket);
  }
}
