/** Makes the plan that is signed with a rollout: what an operator said about the way, checked, and with what follows from it. */
import type { Deployment, DeploymentStrategy } from '../manifest/deployment.ts';
import {
  type FlipPlan,
  mirrorBpsMax,
  previewRequestsMax,
  previewRequestsMinDefault,
} from '../manifest/flip-plan.ts';
import {
  holdProblem,
  planJson,
  replicaLimitMax,
  type ReplicaLimits,
  type RolloutPlan,
  type RolloutStep,
  rolloutStepsMax,
  stepsProblem,
} from '../manifest/rollout-plan.ts';
import { StoreError } from '../store-error.ts';

/** What an operator may say about the way of a rollout. */
export interface PlanRequest {
  /** The way of a `canary`, which then begins with the share of the first step. */
  readonly steps?: readonly RolloutStep[];
  /**
   * Replicas that a `rolling` adds at a time, and, beside `maxUnavailable`, may have at most beyond those of the deployment.
   * Default 1; 0 only where some may be unavailable.
   */
  readonly surge?: number;
  /**
   * Replicas of the live version that a `rolling` may give up before their successors are ready, fewer than the deployment
   * has. Default 0: it keeps all of them until the other version is promoted.
   */
  readonly maxUnavailable?: number;
  /** How long a `rolling` watches each before the next, milliseconds. Default 10 s. */
  readonly holdMs?: number;
  /** See `RolloutPlan`; for whatever has steps. */
  readonly bakeMs?: number;
  readonly deadlineMs?: number;
  /** See `FlipPlan`; each for a `blue_green`, which nodes judge when one of them is given. */
  readonly autoPromoteAfterMs?: number;
  readonly previewRequestsMin?: number;
  readonly watchMs?: number;
  readonly mirrorBps?: number;
}

const rollingHoldMsDefault = 10_000;
/** Replicas that a deployment which does not say how many is replaced in. */
const rollingPartsDefault = 4;

/**
 * The plan for a rollout; undefined for one that has no way to go. Codes: INVALID_STRATEGY.
 * `replicas` is what the deployment says, if it does.
 */
export function planOf(
  strategy: DeploymentStrategy,
  request: PlanRequest,
  replicas: number | undefined,
): RolloutPlan | undefined {
  const { steps, surge, maxUnavailable, holdMs, bakeMs, deadlineMs } = request;
  if (strategy !== 'rolling' && (surge ?? maxUnavailable ?? holdMs) !== undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      'A surge, unavailable replicas and a hold of its own go with rolling only.',
    );
  }
  if (steps !== undefined && strategy !== 'canary') {
    throw new StoreError('INVALID_STRATEGY', 'Steps are the way of a canary.');
  }
  const limits = strategy === 'rolling' ? limitsOf(request, replicas) : undefined;
  const atOnce = limits === undefined ? surge : limits.surge + limits.unavailable;
  const parts = replicas ?? rollingPartsDefault;
  const way = strategy === 'rolling' ? rollingSteps(parts, { atOnce, holdMs }) : steps;
  if (way === undefined) {
    if (bakeMs === undefined && deadlineMs === undefined) return undefined;
    throw new StoreError('INVALID_STRATEGY', 'A bake time and a deadline go with steps or with rolling.');
  }
  const problem =
    stepsProblem(way) ?? holdProblem('bake time', bakeMs) ?? holdProblem('deadline', deadlineMs);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return {
    steps: way,
    approvals: 0,
    ...(bakeMs !== undefined && { bakeMs }),
    ...(deadlineMs !== undefined && { deadlineMs }),
    ...(limits !== undefined && { limits }),
    paused: false,
  };
}

/** How a blue/green goes on; undefined for one that waits for people and is not judged. Codes: INVALID_STRATEGY. */
export function flipOf(strategy: DeploymentStrategy, request: PlanRequest): FlipPlan | undefined {
  const { autoPromoteAfterMs, previewRequestsMin = previewRequestsMinDefault, watchMs, mirrorBps } = request;
  if ((autoPromoteAfterMs ?? request.previewRequestsMin ?? watchMs ?? mirrorBps) === undefined) {
    return undefined;
  }
  if (strategy !== 'blue_green') {
    throw new StoreError(
      'INVALID_STRATEGY',
      'Promotion by the nodes, requests of a preview, copies for it and a watch go with blue_green. What comes of another rollout is watched when it is promoted with a watch.',
    );
  }
  const fits = previewRequestsMin >= 1 && previewRequestsMin <= previewRequestsMax;
  const problem =
    holdProblem('time before the promotion', autoPromoteAfterMs) ??
    holdProblem('watch', watchMs) ??
    (Number.isInteger(previewRequestsMin) && fits
      ? undefined
      : `A preview needs 1 to ${previewRequestsMax} requests.`) ??
    mirrorProblem(mirrorBps);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return {
    ...(autoPromoteAfterMs !== undefined && { autoAfterMs: autoPromoteAfterMs }),
    previewRequestsMin,
    ...(watchMs !== undefined && { watchMs }),
    ...(mirrorBps !== undefined && { mirrorBps }),
  };
}

function mirrorProblem(mirrorBps: number | undefined): string | undefined {
  const fits =
    mirrorBps === undefined || (Number.isInteger(mirrorBps) && mirrorBps >= 1 && mirrorBps <= mirrorBpsMax);
  return fits ? undefined : 'A mirror copies 0.01% to 100% of the requests, in steps of 0.01%.';
}

/** Saying the same again, as a pipeline does, must neither resume a rollout nor take an approval back. */
export function keptPlan(
  before: Deployment | undefined,
  plan: RolloutPlan | undefined,
): RolloutPlan | undefined {
  const { plan: old } = before ?? {};
  if (old === undefined || plan === undefined) return plan;
  const { approvals, paused } = old;
  const isSame = JSON.stringify(planJson({ ...plan, approvals, paused })) === JSON.stringify(planJson(old));
  return isSame ? old : plan;
}

/** Undefined where the live version gives up nothing. Codes: INVALID_STRATEGY. */
function limitsOf(
  { surge = 1, maxUnavailable: unavailable = 0 }: PlanRequest,
  replicas: number | undefined,
): ReplicaLimits | undefined {
  const problem = limitsProblem({ surge, unavailable }, replicas);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return unavailable === 0 ? undefined : { surge, unavailable };
}

function limitsProblem(
  { surge, unavailable }: ReplicaLimits,
  replicas: number | undefined,
): string | undefined {
  const fits = [surge, unavailable].every(
    (limit) => Number.isInteger(limit) && limit >= 0 && limit <= replicaLimitMax,
  );
  if (!fits) return `A surge and unavailable replicas are whole numbers from 0 to ${replicaLimitMax}.`;
  if (surge === 0 && unavailable === 0) {
    return 'With neither a surge nor an unavailable replica no replica could be replaced. Say --surge 1 or --max-unavailable 1.';
  }
  if (unavailable === 0) return undefined;
  if (replicas === undefined) {
    return 'Replicas are given up out of a number that is known. Say how many the deployment has, such as --replicas 4.';
  }
  if (unavailable < replicas) return undefined;
  return `Of ${replicas} replicas at most ${replicas - 1} may be unavailable: one has to answer.`;
}

/** The share of the candidate is that of the replicas which have it: it grows by `atOnce` of them. */
function rollingSteps(
  replicas: number,
  {
    atOnce: wanted = 1,
    holdMs,
  }: { readonly atOnce: number | undefined; readonly holdMs: number | undefined },
): readonly RolloutStep[] {
  const atOnce = Math.max(wanted, Math.ceil(replicas / rolloutStepsMax));
  const steps = Math.ceil(replicas / atOnce);
  return Array.from({ length: steps }, (_, index) => ({
    trafficBps: Math.floor((10_000 * Math.min(replicas, (index + 1) * atOnce)) / replicas),
    holdMs: holdMs ?? rollingHoldMsDefault,
  }));
}
