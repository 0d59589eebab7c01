/** Makes the plan that is signed with a rollout: what an operator said about the way, checked, and with what follows from it. */
import type { Deployment, DeploymentStrategy } from '../manifest/deployment.ts';
import { type FlipPlan, previewRequestsMax, previewRequestsMinDefault } from '../manifest/flip-plan.ts';
import {
  holdProblem,
  planJson,
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
  /** Replicas that a `rolling` replaces at a time. Default 1. */
  readonly surge?: number;
  /** Replicas that a `rolling` may take away before others are ready: none, which is all that a node can do. */
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
  if (maxUnavailable !== undefined && maxUnavailable !== 0) {
    throw new StoreError(
      'INVALID_STRATEGY',
      'No replica is ever unavailable: a thread holds the old version and the new one, and the old one stays whole until the new one is promoted. Leave it out, or say 0.',
    );
  }
  if (steps !== undefined && strategy !== 'canary') {
    throw new StoreError('INVALID_STRATEGY', 'Steps are the way of a canary.');
  }
  const way = strategy === 'rolling' ? rollingSteps(replicas ?? rollingPartsDefault, request) : steps;
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
    paused: false,
  };
}

/** How a blue/green goes on; undefined for one that waits for people and is not judged. Codes: INVALID_STRATEGY. */
export function flipOf(strategy: DeploymentStrategy, request: PlanRequest): FlipPlan | undefined {
  const { autoPromoteAfterMs, previewRequestsMin = previewRequestsMinDefault, watchMs } = request;
  if ((autoPromoteAfterMs ?? request.previewRequestsMin ?? watchMs) === undefined) return undefined;
  if (strategy !== 'blue_green') {
    throw new StoreError(
      'INVALID_STRATEGY',
      'Promotion by the nodes, requests of a preview and a watch go with blue_green. What comes of another rollout is watched when it is promoted with a watch.',
    );
  }
  const fits = previewRequestsMin >= 1 && previewRequestsMin <= previewRequestsMax;
  const problem =
    holdProblem('time before the promotion', autoPromoteAfterMs) ??
    holdProblem('watch', watchMs) ??
    (Number.isInteger(previewRequestsMin) && fits
      ? undefined
      : `A preview needs 1 to ${previewRequestsMax} requests.`);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return {
    ...(autoPromoteAfterMs !== undefined && { autoAfterMs: autoPromoteAfterMs }),
    previewRequestsMin,
    ...(watchMs !== undefined && { watchMs }),
  };
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

/** The share of the candidate is that of the replicas which have it: it grows by `surge` of them at a time. */
function rollingSteps(replicas: number, { surge = 1, holdMs }: PlanRequest): readonly RolloutStep[] {
  if (!Number.isInteger(surge) || surge < 1) {
    throw new StoreError('INVALID_STRATEGY', 'A surge is a whole number of replicas from 1.');
  }
  const atOnce = Math.max(surge, Math.ceil(replicas / rolloutStepsMax));
  const steps = Math.ceil(replicas / atOnce);
  return Array.from({ length: steps }, (_, index) => ({
    trafficBps: Math.floor((10_000 * Math.min(replicas, (index + 1) * atOnce)) / replicas),
    holdMs: holdMs ?? rollingHoldMsDefault,
  }));
}
