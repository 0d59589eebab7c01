/**
 * How a rollout divides the requests of one model. Of a canary each key has a bucket, each bucket an owner: immutable, and a
 * function of what the store says alone, so that every node and every start of one decides alike, and growing the share
 * never moves a key back to the stable version. Of a blue/green all go to one of the two, before its flip or after.
 */
import type { BucketLayout } from '../../registry-store/manifest/candidate-arms.ts';
import type { Cohorts } from '../../registry-store/manifest/cohorts.ts';
import { bucketOf, type BucketTable } from './bucket-table.ts';
import { ownedBuckets } from './bucket-layout.ts';
import type { Caller } from './caller.ts';
import { CohortTable } from './cohort-table.ts';

/** How a request came to its version while a rollout is on. */
export type Variant = 'stable' | 'canary' | 'forced' | 'cohort' | 'promoted';

/**
 * `divided`: by key. `preview`: all to the stable version, and who names the candidate is evidence about it. `promoted`: all
 * to the candidate.
 */
type SplitStage = 'divided' | 'preview' | 'promoted';

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
  /** What the outcome says something about; undefined where neither chance nor the stage sent it there. */
  readonly evidence?: Evidence;
  /** Nobody knew where else to send it, unless it has a key. */
  readonly lacksKey?: true;
}

export interface Evidence {
  readonly arm: 'candidate' | 'stable';
  /** The rollouts about which: that of one candidate, or those of all who are compared with the stable version. */
  readonly of: readonly string[];
}

/** One candidate beside the stable version. */
export interface SplitArm<Target> {
  /** What it is known by; the others of a canary with several candidates have ids of their own. */
  readonly rolloutId: string;
  readonly stable: Target;
  readonly candidate: Target;
  /** Share of the keys that the candidate answers, in hundredths of a percent, 0 to 10000. */
  readonly trafficBps: number;
  /** Its part of the keys that meet it or the stable version, 0 to 1. */
  readonly share: number;
  readonly stage: SplitStage;
}

export interface TrafficSplitOptions<Target> {
  /**
   * The salt of the hash, too, where no layout names another: another rollout meets other users first. docs/rollouts/routing.md
   * says what it is made of.
   */
  readonly rolloutId: string;
  readonly stable: Target;
  readonly candidate: Target;
  readonly trafficBps: number;
  /** Default `divided`; in the others the share is that of the stage, none or all. */
  readonly stage?: SplitStage;
  /** Further candidates, and how the keys were divided before. */
  readonly others?: readonly Pick<SplitArm<Target>, 'rolloutId' | 'candidate' | 'trafficBps'>[];
  readonly layout?: BucketLayout | undefined;
  /** Candidates that get nothing here, by the id of their rollout. */
  readonly dropped?: readonly string[];
  /** Who meets the stable version or the first candidate whatever the hash says. */
  readonly cohorts?: Cohorts | undefined;
}

const bpsAll = 10_000;

export class TrafficSplit<Target> {
  /** Candidates that get requests, at least one, in the order of the store. */
  readonly arms: readonly SplitArm<Target>[];
  readonly #options: TrafficSplitOptions<Target>;
  readonly #id: string;
  readonly #buckets: BucketTable;
  readonly #cohorts: CohortTable | undefined;
  // One answer for all requests: nothing is allocated on the way of a request.
  /** By owner of a bucket. */
  readonly #toOwners: readonly Routed<Target>[];
  /** Without a key, or in doubt. */
  readonly #keptStable: Routed<Target>;
  readonly #cohortStable: Routed<Target>;
  readonly #cohortCandidate: Routed<Target>;
  readonly #toAll: Routed<Target> | undefined;

  constructor(options: TrafficSplitOptions<Target>) {
    const { rolloutId, stable, candidate, trafficBps, stage = 'divided' } = options;
    const { others = [], layout, dropped = [], cohorts } = options;
    this.#options = options;
    this.#id = layout?.salt ?? rolloutId;
    const all = [{ rolloutId, candidate, trafficBps }, ...others];
    const kept = all.filter((arm) => !dropped.includes(arm.rolloutId));
    const stableBps = bpsAll - kept.reduce((sum, arm) => sum + arm.trafficBps, 0);
    this.arms = kept.map((arm) => ({ ...arm, stable, share: shareOf(arm.trafficBps, stableBps), stage }));
    const { table, owners } = ownedBuckets(layout?.ramps ?? [], all, new Set(dropped));
    this.#buckets = table;
    this.#cohorts = cohorts === undefined ? undefined : new CohortTable(cohorts);
    const to = (value: Target, choice: Omit<RolloutChoice, 'id'>): Routed<Target> => ({
      ok: true,
      value,
      rollout: { id: this.#id, ...choice },
    });
    const ids = kept.map((arm) => arm.rolloutId);
    const toStable = to(stable, { variant: 'stable', evidence: { arm: 'stable', of: ids } });
    const byId = new Map(
      kept.map((arm) => {
        const evidence: Evidence = { arm: 'candidate', of: [arm.rolloutId] };
        return [arm.rolloutId, to(arm.candidate, { variant: 'canary', evidence })];
      }),
    );
    this.#toOwners = [toStable, ...owners.map((owner) => byId.get(owner) ?? toStable)];
    this.#keptStable = to(stable, { variant: 'stable', lacksKey: true });
    this.#cohortStable = to(stable, { variant: 'cohort' });
    this.#cohortCandidate = to(ids.includes(rolloutId) ? candidate : stable, { variant: 'cohort' });
    if (stage === 'preview') this.#toAll = toStable;
    if (stage === 'promoted') {
      this.#toAll = to(candidate, { variant: 'promoted', evidence: { arm: 'candidate', of: ids } });
    }
  }

  /** Headers that have to be looked at while a request is there. */
  get cohortHeaders(): readonly string[] {
    return this.#cohorts?.headers ?? noHeaders;
  }

  /** The same without one candidate, whose keys go back to the stable version; undefined when none is left. */
  without(rolloutId: string): TrafficSplit<Target> | undefined {
    const left = this.arms.filter((arm) => arm.rolloutId !== rolloutId);
    if (left.length === 0) return undefined;
    return new TrafficSplit({ ...this.#options, dropped: [...(this.#options.dropped ?? []), rolloutId] });
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
    return this.#toOwners[this.#buckets.ownerOf(bucketOf(this.#id, key))] ?? this.#keptStable;
  }

  /** For a request that named its version. */
  forced(target: Target): Routed<Target> {
    const { stage, candidate, rolloutId } = this.#options;
    const isEvident = stage === 'preview' && target === candidate;
    const evidence: Evidence = { arm: 'candidate', of: [rolloutId] };
    return {
      ok: true,
      value: target,
      rollout: { id: this.#id, variant: 'forced', ...(isEvident && { evidence }) },
    };
  }
}

function shareOf(candidateBps: number, stableBps: number): number {
  const both = candidateBps + stableBps;
  return both === 0 ? 0 : candidateBps / both;
}

const noHeaders: readonly string[] = [];
