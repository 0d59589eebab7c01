/**
 * Who owns each of 100,000 buckets of keys: the stable version, or one of the candidates. Immutable: a new share makes a
 * new table.
 *
 * Invariants: a growing candidate takes buckets from the stable version only, a shrinking one gives back those it took
 * last, and nothing else moves. So a ramp moves the fewest keys and never one back; shares laid end to end would not.
 */
import { murmur3 } from './murmur3.ts';

export const bucketCount = 100_000;

/** 0 to 99,999. The zero byte keeps ("ab", "c") from being ("a", "bc"); the product stays below 2^53, so it is exact. */
export function bucketOf(salt: string, key: string): number {
  return Math.floor((murmur3(`${salt}\0${key}`) * bucketCount) / 2 ** 32);
}

/** Owners are numbers: 0 is the stable version, 1 the first candidate. */
const stableOwner = 0;

export class BucketTable {
  readonly #owners: Uint8Array;
  /** Of each candidate: its buckets, in the order in which it took them. */
  readonly #taken: readonly Uint32Array[];

  private constructor(owners: Uint8Array, taken: readonly Uint32Array[]) {
    this.#owners = owners;
    this.#taken = taken;
  }

  /** All buckets belong to the stable version. */
  static stable(): BucketTable {
    return new BucketTable(new Uint8Array(bucketCount), []);
  }

  /** Buckets of each candidate, the first at 0. */
  get shares(): readonly number[] {
    return this.#taken.map(({ length }) => length);
  }

  ownerOf(bucket: number): number {
    return this.#owners[bucket] ?? stableOwner;
  }

  /**
   * The table in which candidate `i + 1` owns `shares[i]` buckets; a candidate that is left out owns none. Throws a
   * RangeError for shares that are no whole numbers or more than there are buckets.
   */
  withShares(shares: readonly number[]): BucketTable {
    const total = shares.reduce((sum, share) => sum + share, 0);
    const areWhole = shares.every((share) => Number.isInteger(share) && share >= 0);
    if (!areWhole || total > bucketCount || shares.length > 255) {
      throw new RangeError(`shares of ${bucketCount} buckets cannot be ${shares.join(', ')}`);
    }
    const owners = this.#owners.slice();
    // What is given back can be taken by another in the same change.
    const kept = this.#taken.map((buckets, index) => {
      const share = shares[index] ?? 0;
      for (const bucket of buckets.subarray(share)) owners[bucket] = stableOwner;
      return buckets.subarray(0, share);
    });
    let next = 0;
    const taken = shares.map((share, index) => {
      const buckets = new Uint32Array(share);
      const before = kept[index] ?? buckets.subarray(0, 0);
      buckets.set(before);
      for (let seat = before.length; seat < share; seat += 1) {
        while (owners[next] !== stableOwner) next += 1;
        owners[next] = index + 1;
        buckets[seat] = next;
      }
      return buckets;
    });
    return new BucketTable(owners, taken);
  }
}
