/**
 * The buckets of a canary with several candidates: the shares that were signed one after the other are gone through again,
 * so that every node and every start comes to the same owners, and a candidate that this node dropped gives its buckets to
 * the stable version without moving any other.
 */
import type { ArmShare } from '../../registry-store/manifest/candidate-arms.ts';
import { BucketTable, bucketCount } from './bucket-table.ts';

const bpsAll = 10_000;
const bucketsPerBps = bucketCount / bpsAll;

export interface OwnedBuckets {
  readonly table: BucketTable;
  /** Of each owner but the stable version, which is number 0: the rollout it belongs to, owner 1 first. */
  readonly owners: readonly string[];
}

/** `ramps` are the shares of before, the oldest first; `dropped` are known by the id of their rollout. */
export function ownedBuckets(
  ramps: readonly (readonly ArmShare[])[],
  now: readonly ArmShare[],
  dropped: ReadonlySet<string>,
): OwnedBuckets {
  const owners = [...new Set([...ramps, now].flat().map(({ rolloutId }) => rolloutId))];
  const bucketsOf = (shares: readonly ArmShare[], without?: ReadonlySet<string>): readonly number[] =>
    owners.map((owner) => {
      const share = shares.find(({ rolloutId }) => rolloutId === owner);
      return share === undefined || without?.has(owner) === true ? 0 : share.trafficBps * bucketsPerBps;
    });
  const table = [...ramps, now].reduce(
    (before, shares) => before.withShares(bucketsOf(shares)),
    BucketTable.stable(),
  );
  return { table: dropped.size === 0 ? table : table.withShares(bucketsOf(now, dropped)), owners };
}
