/**
 * How a canary rollout divides the requests of one model: each key has a bucket, each bucket an owner. Immutable, and a
 * function of what the store says alone, so that every node and every start of one decides alike, and growing the share
 * never moves a key back to the stable version.
 */
import type { Cohorts } from '../../registry-store/manifest/cohorts.ts';
import { BucketTable, bucketCount, bucketOf } from './bucket-table.ts';
import type { Caller } from './caller.ts';
import { CohortTable } from './cohort-table.ts';

/** How a request came to its version while a rollout is on. */
export type Variant = 'stable' | 'canary' | 'forced' | 'cohort';

/** A version for one request, and, while a rollout is on, why it was this one. */
export interface Routed<Target, Mirror = never> {
  readonly ok: true;
  readonly value: Target;
  /** What may get a copy of the request. */
  readonly mirror?: Mirror;
  readonly rollout?: RolloutChoice;
}

interface RolloutChoice {
  readonly id: string;
  readonly variant: Variant;
  /** A bucket decided, which is chance: only then the outcome says something about the two versions. */
  readonly byBucket: boolean;
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
  /** Who meets one of the two whatever the hash says. */
  readonly cohorts?: Cohorts | undefined;
}

const bpsAll = 10_000;
const bucketsPerBps = bucketCount / bpsAll;

export class TrafficSplit<Target> {
  readonly rolloutId: string;
  readonly stable: Target;
  readonly candidate: Target;
  readonly trafficBps: number;
  readonly #buckets: BucketTable;
  readonly #cohorts: CohortTable | undefined;
  // One answer for all requests: nothing is allocated on the way of a request.
  readonly #toStable: Routed<Target>;
  readonly #toCandidate: Routed<Target>;
  /** Without a key, or in doubt. */
  readonly #keptStable: Routed<Target>;
  readonly #cohortStable: Routed<Target>;
  readonly #cohortCandidate: Routed<Target>;

  constructor({ rolloutId, stable, candidate, trafficBps, cohorts }: TrafficSplitOptions<Target>) {
    this.rolloutId = rolloutId;
    this.stable = stable;
    this.candidate = candidate;
    this.trafficBps = trafficBps;
    this.#buckets = BucketTable.stable().withShares([trafficBps * bucketsPerBps]);
    this.#cohorts = cohorts === undefined ? undefined : new CohortTable(cohorts);
    const id = rolloutId;
    this.#toStable = { ok: true, value: stable, rollout: { id, variant: 'stable', byBucket: true } };
    this.#toCandidate = { ok: true, value: candidate, rollout: { id, variant: 'canary', byBucket: true } };
    this.#keptStable = { ok: true, value: stable, rollout: { id, variant: 'stable', byBucket: false } };
    this.#cohortStable = { ok: true, value: stable, rollout: { id, variant: 'cohort', byBucket: false } };
    this.#cohortCandidate = {
      ok: true,
      value: candidate,
      rollout: { id, variant: 'cohort', byBucket: false },
    };
  }

  /** Headers that have to be looked at while a request is there. */
  get cohortHeaders(): readonly string[] {
    return this.#cohorts?.headers ?? noHeaders;
  }

  /** Of the keys, 0 to 1. */
  get share(): number {
    return this.trafficBps / bpsAll;
  }

  /**
   * A rule comes before the hash; the same key always gets the same version; without a key it is the stable one, and also for
   * a request that is older than the rollout.
   */
  choose(caller: Caller): Routed<Target> {
    if (caller.headers === undefined) return this.#keptStable;
    switch (this.#cohorts?.sideOf(caller)) {
      case 'stable':
        return this.#cohortStable;
      case 'candidate':
        return this.#cohortCandidate;
      case 'unknown':
        return this.#keptStable;
      case undefined:
        return this.#byHash(caller.key ?? caller.drawnKey);
    }
  }

  #byHash(key: string | undefined): Routed<Target> {
    // An empty key is none: all who have none would share its bucket.
    if (key === undefined || key === '') return this.#keptStable;
    const owner = this.#buckets.ownerOf(bucketOf(this.rolloutId, key));
    return owner === 0 ? this.#toStable : this.#toCandidate;
  }

  /** For a request that named its version. */
  forced(target: Target): Routed<Target> {
    return {
      ok: true,
      value: target,
      rollout: { id: this.rolloutId, variant: 'forced', byBucket: false },
    };
  }
}

const noHeaders: readonly string[] = [];
