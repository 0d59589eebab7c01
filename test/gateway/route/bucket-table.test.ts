/** The layout of buckets: golden values, and the laws of ramps. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketTable, bucketCount, bucketOf } from '../../../gateway/route/bucket-table.ts';

const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucket);

function ownersOf(table: BucketTable): readonly number[] {
  return buckets.map((bucket) => table.ownerOf(bucket));
}

describe('bucketOf', () => {
  test.each([
    ['fraud:r1', 'user-1', 92526],
    ['fraud:r1', 'user-2', 25730],
    ['fraud:r2', 'user-1', 85070],
    ['fraud:r1', 'ключ-🔑', 14917],
    ['fraud:r1', '0'.repeat(64), 55671],
  ])('of salt %j and key %j', (salt, key, bucket) => {
    expect(bucketOf(salt, key)).toBe(bucket);
  });

  test('keeps salt and key apart', () => {
    expect(bucketOf('ab', 'c')).not.toBe(bucketOf('a', 'bc'));
  });

  test('another salt puts other keys first', () => {
    const first = (salt: string): readonly number[] => {
      return Array.from({ length: 20_000 }, (_, index) => index).filter(
        (index) => bucketOf(salt, `user-${index}`) < bucketCount / 10,
      );
    };
    const other = new Set(first('r2'));
    const both = first('r1').filter((index) => other.has(index)).length;
    // A tenth of a tenth, within four standard errors.
    expect(Math.abs(both - 200)).toBeLessThan(4 * Math.sqrt(200));
  });
});

describe('BucketTable', () => {
  test('gives a tenth of 100,000 keys to a candidate with a tenth, within 3 standard errors', () => {
    const table = BucketTable.stable().withShares([bucketCount / 10]);
    const keys = 100_000;
    let met = 0;
    for (let key = 0; key < keys; key += 1) met += table.ownerOf(bucketOf('iris:r1', `user-${key}`));
    expect(Math.abs(met / keys - 0.1)).toBeLessThan(3 * Math.sqrt((0.1 * 0.9) / keys));
  });

  test('never moves a bucket back on the way from 1 to 100 percent', () => {
    let table = BucketTable.stable();
    let before = ownersOf(table);
    for (const percent of [1, 5, 25, 50, 100]) {
      table = table.withShares([(percent * bucketCount) / 100]);
      const now = ownersOf(table);
      expect(now.filter((owner) => owner === 1)).toHaveLength((percent * bucketCount) / 100);
      expect(before.some((owner, bucket) => owner === 1 && now[bucket] !== 1)).toBe(false);
      before = now;
    }
  });

  test('with three versions, growing one moves only what it grows by', () => {
    const before = BucketTable.stable().withShares([10_000, 10_000]);
    const after = before.withShares([20_000, 10_000]);
    const [then, now] = [ownersOf(before), ownersOf(after)];
    expect(buckets.filter((bucket) => then[bucket] !== now[bucket])).toHaveLength(10_000);
    expect(after.shares).toEqual([20_000, 10_000]);
  });

  test('a table that shrinks is the one it was before it grew, and the old one did not change', () => {
    const small = BucketTable.stable().withShares([3000, 500]);
    const owners = ownersOf(small);
    const grown = small.withShares([9000, 500]);
    expect(ownersOf(grown.withShares([3000, 500]))).toEqual(owners);
    expect(ownersOf(small)).toEqual(owners);
  });

  test('whatever the shares, no candidate loses a bucket to another while it does not shrink', () => {
    const share = fc.integer({ min: 0, max: 300 });
    const ramp = fc.array(fc.tuple(share, share, share), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(ramp, (steps) => {
        let table = BucketTable.stable();
        for (const shares of steps) {
          const next = table.withShares(shares);
          for (const [index, size] of shares.entries()) {
            const mine = buckets.slice(0, 1000).filter((bucket) => table.ownerOf(bucket) === index + 1);
            const kept = mine.filter((bucket) => next.ownerOf(bucket) === index + 1);
            expect(kept).toHaveLength(Math.min(mine.length, size));
          }
          expect(next.shares).toEqual(shares);
          table = next;
        }
      }),
      { numRuns: 50 },
    );
  });

  test.each([[[-1]], [[0.5]], [[60_000, 50_000]], [[Number.NaN]]])('refuses the shares %j', (shares) => {
    expect(() => BucketTable.stable().withShares(shares)).toThrow(RangeError);
  });
});
