/**
 * What one process of a node counted of a rollout, as it tells the others, and how such counts add up: for each kind of judge
 * its own, and of every rollout what the version that is live did, to which whatever comes after it is held.
 */
import { addCallerCounts, type CallerCounts, isCallerCounts } from './caller-rates.ts';
import { type FlipCounts, mergeFlipCounts, readFlipCounts } from './flip-counts.ts';
import { countsJson, type JudgeCounts, readCounts } from './judge-counts.ts';
import { type JudgeSnapshot, mergeSnapshots } from './judge-snapshot.ts';

/** Counts of one rollout, of one process or of several together. */
export interface SharedCounts {
  readonly rolloutId: string;
  /** Of two versions that are compared at one time. */
  readonly counts?: JudgeCounts;
  /** Of a version that is compared with the one before it. */
  readonly flip?: FlipCounts;
  readonly reference?: CallerCounts;
}

/** The same, looked at. */
export interface OthersCounted {
  readonly snapshot?: JudgeSnapshot;
  readonly flip?: FlipCounts;
  readonly reference?: CallerCounts;
}

/** What is not what it should be is left out. */
export function readShared(shared: SharedCounts): OthersCounted {
  const snapshot = readCounts(shared.counts);
  const flip = readFlipCounts(shared.flip);
  const { reference } = shared;
  return {
    ...(snapshot !== undefined && { snapshot }),
    ...(flip !== undefined && { flip }),
    ...(isCallerCounts(reference) && { reference }),
  };
}

export function sharedJson(rolloutId: string, { snapshot, flip, reference }: OthersCounted): SharedCounts {
  return {
    rolloutId,
    ...(snapshot !== undefined && { counts: countsJson(snapshot) }),
    ...(flip !== undefined && { flip }),
    ...(reference !== undefined && { reference }),
  };
}

export function mergeShared(one: OthersCounted, other: OthersCounted): OthersCounted {
  const snapshot = merged(one.snapshot, other.snapshot, mergeSnapshots);
  const flip = merged(one.flip, other.flip, mergeFlipCounts);
  const reference = merged(one.reference, other.reference, addCallerCounts);
  return {
    ...(snapshot !== undefined && { snapshot }),
    ...(flip !== undefined && { flip }),
    ...(reference !== undefined && { reference }),
  };
}

function merged<Counts>(
  one: Counts | undefined,
  other: Counts | undefined,
  merge: (one: Counts, other: Counts) => Counts,
): Counts | undefined {
  return one === undefined || other === undefined ? (one ?? other) : merge(one, other);
}
