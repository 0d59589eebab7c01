/**
 * How a canary rollout divides the requests of one model: each key has a bucket, each bucket an owner. Immutable, and a
 * function of what the store says alone, so that every node and every start of one decides alike, and growing the share
 * never moves a key back to the stable version.
 */
import { BucketTable, bucketCount, bucketOf } from './bucket-table.ts';

/** How a request came to its version while a rollout is on. */
export type Variant = 'stable' | 'canary' | 'forced';

/** A version for one request, and, while a rollout is on, why it was this one. */
export interface Routed<Target, Mirror = never> {
  readonly ok: true;
  readonly value: Target;
  /** What may get a copy of the request. */
  readonly mirror?: Mirror;
  readonly rollout?: { readonly id: string; readonly variant: Variant };
}

export interface TrafficSplitOptions<Target> {
  /**
   * The salt of the hash, too: another rollout meets other users first. See docs/rollouts.md for what it is made of.
   */
  readonly rolloutId: string;
  readonly stable: Target;
  readonly candidate: Target;
  /** Share of the keys that the candidate answers, in hundredths of a percent, 0 to 10000. */
  readonly trafficBps: number;
}

const bpsAll = 10_000;
const bucketsPerBps = bucketCount / bpsAll;

export class TrafficSplit<Target> {
  readonly rolloutId: string;
  readonly stable: Target;
  readonly candidate: Target;
  readonly trafficBps: number;
  readonly #buckets: BucketTable;
  // One answer for all requests: nothing is allocated on the way of a request.
  readonly #toStable: Routed<Target>;
  readonly #toCandidate: Routed<Target>;

  constructor({ rolloutId, stable, candidate, trafficBps }: TrafficSplitOptions<Target>) {
    this.rolloutId = rolloutId;
    this.stable = stable;
    this.candidate = candidate;
    this.trafficBps = trafficBps;
    this.#buckets = BucketTable.stable().withShares([trafficBps * bucketsPerBps]);
    this.#toStable = { ok: true, value: stable, rollout: { id: rolloutId, variant: 'stable' } };
    this.#toCandidate = { ok: true, value: candidate, rollout: { id: rolloutId, variant: 'canary' } };
  }

  /** Of the keys, 0 to 1. */
  get share(): number {
    return this.trafficBps / bpsAll;
  }

  /** The same key always gets the same version. Without a key it is the stable one. */
  choose(key: string | undefined): Routed<Target> {
    if (key === undefined) return this.#toStable;
    const owner = this.#buckets.ownerOf(bucketOf(this.rolloutId, key));
    return owner === 0 ? this.#toStable : this.#toCandidate;
  }

  /** For a request that named its version. */
  forced(target: Target): Routed<Target> {
    return { ok: true, value: target, rollout: { id: this.rolloutId, variant: 'forced' } };
  }
}
