/**
 * How a rollout divides the requests of one model. Of a canary each key has a bucket, each bucket an owner: immutable, and a
 * function of what the store says alone, so that every node and every start of one decides alike, and growing the share
 * never moves a key back to the stable version. Of a blue/green all go to one of the two, before its flip or after.
 */
import type { Cohorts } from '../../registry-store/manifest/cohorts.ts';
import { BucketTable, bucketCount, bucketOf } from './bucket-table.ts';
import type { Caller } from './caller.ts';
import { CohortTable } from './cohort-table.ts';

/** How a request came to its version while a rollout is on. */
export type Variant = 'stable' | 'canary' | 'forced' | 'cohort' | 'promoted';

/**
 * `divided`: by key. `preview`: all to the stable version, and who names the candidate is evidence about it. `promoted`: all
 * to the candidate.
 */
export type SplitStage = 'divided' | 'preview' | 'promoted';

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
  /** The version about which the outcome says something; undefined where neither chance nor the stage sent it there. */
  readonly evidence?: 'candidate' | 'stable';
  /** Nobody knew where else to send it, unless it has a key. */
  readonly lacksKey?: true;
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
  /** Default `divided`; in the others the share is that of the stage, none or all. */
  readonly stage?: SplitStage;
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
  readonly stage: SplitStage;
  readonly #buckets: BucketTable;
  readonly #cohorts: CohortTable | undefined;
  // One answer for all requests: nothing is allocated on the way of a request.
  readonly #toStable: Routed<Target>;
  readonly #toCandidate: Routed<Target>;
  /** Without a key, or in doubt. */
  readonly #keptStable: Routed<Target>;
  readonly #cohortStable: Routed<Target>;
  readonly #cohortCandidate: Routed<Target>;
  readonly #toAll: Routed<Target> | undefined;

  constructor(options: TrafficSplitOptions<Target>) {
    const { rolloutId, stable, candidate, trafficBps, stage = 'divided', cohorts } = options;
    this.rolloutId = rolloutId;
    this.stable = stable;
    this.candidate = candidate;
    this.trafficBps = trafficBps;
    this.stage = stage;
    this.#buckets = BucketTable.stable().withShares([trafficBps * bucketsPerBps]);
    this.#cohorts = cohorts === undefined ? undefined : new CohortTable(cohorts);
    const id = rolloutId;
    const to = (value: Target, choice: Omit<RolloutChoice, 'id'>): Routed<Target> => ({
      ok: true,
      value,
      rollout: { id, ...choice },
    });
    this.#toStable = to(stable, { variant: 'stable', evidence: 'stable' });
    this.#toCandidate = to(candidate, { variant: 'canary', evidence: 'candidate' });
    this.#keptStable = to(stable, { variant: 'stable', lacksKey: true });
    this.#cohortStable = to(stable, { variant: 'cohort' });
    this.#cohortCandidate = to(candidate, { variant: 'cohort' });
    if (stage === 'preview') this.#toAll = this.#toStable;
    if (stage === 'promoted') this.#toAll = to(candidate, { variant: 'promoted', evidence: 'candidate' });
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
    if (this.#toAll !== undefined) return this.#toAll;
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
      rollout: {
        id: this.rolloutId,
        variant: 'forced',
        ...(this.stage === 'preview' && target === this.candidate && { evidence: 'candidate' }),
      },
    };
  }
}

const noHeaders: readonly string[] = [];
