/**
 * Several candidates of one canary, each with a share of its own, and what it takes for every node to divide the same keys
 * alike while the shares change: who owned how much before, in order. Buckets are owned, so what a share of today covers
 * follows from the shares of yesterday.
 */
import type { FieldReader } from './field-reader.ts';
import { rolloutIdRule } from './flip-plan.ts';
import { sha256Rule, versionNameRule } from './names.ts';
import { type Pipeline, pipelineJson, readPipeline } from './pipeline.ts';

/** A version with its bytes, and the models that run before and after it, if any do. */
export interface VersionPin {
  readonly version: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly pipeline?: Pipeline;
}

/** One candidate of a canary. */
export interface CandidateArm extends VersionPin {
  /** Hundredths of a percent, 0 to 10000; those of all candidates together are 10000 at most. */
  readonly trafficBps: number;
  /** What nodes know it by: what is decided about one candidate says nothing of the others. */
  readonly rolloutId: string;
}

export type ArmShare = Pick<CandidateArm, 'rolloutId' | 'trafficBps'>;

/** How the keys of a canary are divided, where more than one candidate has or had a share. */
export interface BucketLayout {
  /** Goes into the hash. It stays while one candidate after the other comes and goes. */
  readonly salt: string;
  /** Shares that were signed before those of today, the oldest first. */
  readonly ramps: readonly (readonly ArmShare[])[];
}

/** What a deployment says of its candidates. */
interface Candidates {
  readonly strategy: string;
  readonly candidate?: VersionPin;
  readonly trafficBps?: number;
  readonly rolloutId?: string;
  readonly others?: readonly CandidateArm[];
  readonly layout?: BucketLayout;
}

/** Besides the live version. */
export const candidatesMax = 4;
/** Changes of shares that a rollout remembers; it ends there. */
export const rampsMax = 64;
const sharesPerRampMax = 64;
const bpsAll = 10_000;

/** All candidates of a canary in their order; none of a deployment from before rollouts had ids. */
export function armsOf({
  strategy,
  candidate,
  trafficBps,
  rolloutId,
  others = [],
}: Candidates): readonly CandidateArm[] {
  if (strategy !== 'canary' || candidate === undefined || rolloutId === undefined) return [];
  return [{ ...candidate, trafficBps: trafficBps ?? 0, rolloutId }, ...others];
}

/** Every version that stands beside the live one. */
export function candidatesOf({ candidate, others = [] }: Candidates): readonly VersionPin[] {
  return candidate === undefined ? [] : [candidate, ...others];
}

/** The fields of a deployment that name its candidates. `before` is the deployment from which the rollout goes on, if it does. */
export function armFields(
  [first, ...others]: readonly [CandidateArm, ...CandidateArm[]],
  before: Candidates | undefined,
): Omit<Candidates, 'strategy' | 'candidate'> & { readonly candidate: VersionPin } {
  const layout = layoutAfter(before, [first, ...others]);
  return {
    candidate: pinOf(first),
    trafficBps: first.trafficBps,
    rolloutId: first.rolloutId,
    ...(others.length > 0 && { others }),
    ...(layout !== undefined && { layout }),
  };
}

/** What says of something which version it is, and nothing else. */
export function pinOf({ version, sha256, pipeline }: VersionPin): VersionPin {
  return { version, sha256, ...(pipeline !== undefined && { pipeline }) };
}

/** Undefined for one candidate alone: its buckets follow from its share. */
function layoutAfter(
  before: Candidates | undefined,
  arms: readonly CandidateArm[],
): BucketLayout | undefined {
  const now = arms.map(shareOf);
  const last = before === undefined ? [] : armsOf(before).map(shareOf);
  const earlier = before?.layout?.ramps ?? [];
  const isSame = last.length === 0 || JSON.stringify(last) === JSON.stringify(now);
  const ramps = isSame ? earlier : [...earlier, last];
  const owners = new Set([...ramps.flat(), ...now].map(({ rolloutId }) => rolloutId));
  if (owners.size <= 1) return undefined;
  return { salt: before?.layout?.salt ?? before?.rolloutId ?? now[0]?.rolloutId ?? '', ramps };
}

function shareOf({ rolloutId, trafficBps }: CandidateArm): ArmShare {
  return { rolloutId, trafficBps };
}

/** Why these cannot be the candidates of one canary; undefined when they can. */
export function armsProblem(arms: readonly Omit<CandidateArm, 'rolloutId' | 'sha256'>[]): string | undefined {
  if (arms.length > candidatesMax)
    return `A canary has ${candidatesMax} candidates at most, not ${arms.length}.`;
  if (new Set(arms.map(({ version }) => version)).size < arms.length) return 'Each candidate is named once.';
  const isShare = arms.every(({ trafficBps: bps }) => Number.isInteger(bps) && bps >= 0);
  if (isShare && sumOf(arms) <= bpsAll) return undefined;
  return 'The shares of all candidates are 100% at most, in steps of 0.01%.';
}

/** Problems go to the reader. */
export function readOthers(reader: FieldReader): readonly CandidateArm[] {
  return reader.list('others', candidatesMax - 1).map((value, index) => {
    const arm = reader.nest(value, `candidate ${index + 2} of a canary`);
    return { ...readPin(arm), ...readShare(arm) };
  });
}

/** Problems go to the reader. */
export function readPin(reader: FieldReader): VersionPin {
  return {
    version: reader.text('version', versionNameRule),
    sha256: reader.text('sha256', sha256Rule),
    ...(reader.has('pipeline') && { pipeline: readPipeline(reader.record('pipeline')) }),
  };
}

export function pinJson({ version, sha256, pipeline }: VersionPin): Readonly<Record<string, unknown>> {
  return { version, sha256, ...(pipeline !== undefined && { pipeline: pipelineJson(pipeline) }) };
}

/** Problems go to the reader. */
export function readLayout(reader: FieldReader): BucketLayout {
  return {
    salt: reader.text('salt', rolloutIdRule),
    ramps: reader.list('ramps', rampsMax).map((_ramp, index) => {
      const ramp = reader.nest({ shares: _ramp }, `ramp ${index + 1} of a canary`);
      const shares = ramp
        .list('shares', sharesPerRampMax)
        .map((share) => readShare(ramp.nest(share, 'a share')));
      if (sumOf(shares) > bpsAll) ramp.reject('has more than all keys');
      return shares;
    }),
  };
}

function readShare(reader: FieldReader): ArmShare {
  return {
    trafficBps: reader.integer('traffic_bps', { min: 0, max: bpsAll }),
    rolloutId: reader.text('rollout_id', rolloutIdRule),
  };
}

export function othersJson(others: readonly CandidateArm[]): readonly object[] {
  return others.map((arm) => ({ ...pinJson(arm), ...shareJson(arm) }));
}

export function layoutJson({ salt, ramps }: BucketLayout): Readonly<Record<string, unknown>> {
  return { salt, ramps: ramps.map((shares) => shares.map(shareJson)) };
}

function shareJson({ rolloutId, trafficBps }: ArmShare): object {
  return { traffic_bps: trafficBps, rollout_id: rolloutId };
}

function sumOf(shares: readonly { readonly trafficBps: number }[]): number {
  return shares.reduce((sum, { trafficBps }) => sum + trafficBps, 0);
}
