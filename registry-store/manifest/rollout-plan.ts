/**
 * The plan of a canary or a rolling, signed as a whole: shares in ascending order, how long each is held, and which steps a
 * person has approved. A node goes through it on its own evidence and never beyond it; operators change it by signing.
 */
import type { FieldReader } from './field-reader.ts';

export interface RolloutStep {
  /** Share for the candidate in hundredths of a percent, 1 to 10000; larger than that of the step before. */
  readonly trafficBps: number;
  /** So long at least, milliseconds, 1000 to 30 days. A step without it is held until it is approved. */
  readonly holdMs?: number;
}

/** How many replicas both versions of a `rolling` may have together on a node, against those that the deployment has. */
export interface ReplicaLimits {
  /** At most so many more, 0 to 1024. */
  readonly surge: number;
  /** At most so many fewer that are ready, 1 to 1024; the live version gives up so many before their successors are ready. */
  readonly unavailable: number;
}

export interface RolloutPlan {
  readonly steps: readonly RolloutStep[];
  /** The first so many steps that wait for approval have it. */
  readonly approvals: number;
  /** So long at least the last step is watched, milliseconds, before the rollout counts as complete. */
  readonly bakeMs?: number;
  /** A step that has not ended so long after it could have, milliseconds, ends the rollout: back to the live version. */
  readonly deadlineMs?: number;
  /** Of a `rolling`. Left out, the live version keeps all its replicas until the other one is promoted. */
  readonly limits?: ReplicaLimits;
  /** True holds every node where it is. Going back is still possible, and a node still does so by itself. */
  readonly paused: boolean;
}

export const rolloutStepsMax = 20;
export const holdMsMin = 1000;
export const holdMsMax: number = 30 * 24 * 60 * 60 * 1000;
const holdRule = { min: holdMsMin, max: holdMsMax };
const trafficBpsMax = 10_000;
/** What a limit of replicas may be: as many as a deployment may have. */
export const replicaLimitMax = 1024;

/** Why these cannot be the steps of a plan; undefined when they can. */
export function stepsProblem(steps: readonly RolloutStep[]): string | undefined {
  if (steps.length === 0 || steps.length > rolloutStepsMax) {
    return `A plan has 1 to ${rolloutStepsMax} steps, not ${steps.length}.`;
  }
  let before = 0;
  for (const { trafficBps, holdMs } of steps) {
    if (!Number.isInteger(trafficBps) || trafficBps <= before || trafficBps > trafficBpsMax) {
      return 'Each step has a larger share than the one before, up to 100% and in steps of 0.01%.';
    }
    const problem = holdProblem('hold', holdMs);
    if (problem !== undefined) return problem;
    before = trafficBps;
  }
  return undefined;
}

/** Why this cannot be a time in a plan; undefined when it can. */
export function holdProblem(name: string, ms: number | undefined): string | undefined {
  const fits = ms === undefined || (Number.isInteger(ms) && ms >= holdMsMin && ms <= holdMsMax);
  return fits ? undefined : `A ${name} is 1 second to 30 days.`;
}

/** Problems go to the reader. */
export function readPlan(reader: FieldReader): RolloutPlan {
  const steps = reader.list('steps', rolloutStepsMax).map((value, index) => {
    const step = reader.nest(value, `step ${index + 1} of a rollout`);
    return {
      trafficBps: step.integer('traffic_bps', { min: 1, max: trafficBpsMax }),
      ...(step.has('hold_ms') && { holdMs: step.integer('hold_ms', holdRule) }),
    };
  });
  const problem = stepsProblem(steps);
  if (problem !== undefined) reader.reject(`has a rollout that cannot be: ${problem}`);
  return {
    steps,
    approvals: reader.integer('approvals', { min: 0, max: rolloutStepsMax }),
    ...(reader.has('bake_ms') && { bakeMs: reader.integer('bake_ms', holdRule) }),
    ...(reader.has('deadline_ms') && { deadlineMs: reader.integer('deadline_ms', holdRule) }),
    ...(reader.has('limits') && { limits: readLimits(reader.record('limits')) }),
    paused: reader.boolean('paused'),
  };
}

function readLimits(reader: FieldReader): ReplicaLimits {
  return {
    surge: reader.integer('surge', { min: 0, max: replicaLimitMax }),
    unavailable: reader.integer('unavailable', { min: 1, max: replicaLimitMax }),
  };
}

export function planJson({
  steps,
  approvals,
  bakeMs,
  deadlineMs,
  limits,
  paused,
}: RolloutPlan): Readonly<Record<string, unknown>> {
  return {
    steps: steps.map(({ trafficBps, holdMs }) => ({
      traffic_bps: trafficBps,
      ...(holdMs !== undefined && { hold_ms: holdMs }),
    })),
    approvals,
    ...(bakeMs !== undefined && { bake_ms: bakeMs }),
    ...(deadlineMs !== undefined && { deadline_ms: deadlineMs }),
    ...(limits !== undefined && { limits: { ...limits } }),
    paused,
  };
}

/** How many steps of the plan wait for a person; the last leads nowhere. */
export function approvalsNeeded({ steps }: Pick<RolloutPlan, 'steps'>): number {
  return steps.slice(0, -1).filter(({ holdMs }) => holdMs === undefined).length;
}
