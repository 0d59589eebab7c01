/**
 * Puts a published version live, or beside the live one as the candidate of a rollout. The version that was live stays
 * named as the previous one, so that nodes keep it loaded and going back is instant.
 */
import { randomUUID } from 'node:crypto';
import {
  type Deployment,
  type DeploymentResources,
  type DeploymentStrategy,
  type VersionPin,
  hasCandidate,
  hasTraffic,
  trafficBpsMax,
} from '../manifest/deployment.ts';
import { planJson, type RolloutPlan, type RolloutStep, stepsProblem } from '../manifest/rollout-plan.ts';
import { StoreError } from '../store-error.ts';
import { type DeploymentResult, changeDeployment, mergeResources } from './change-deployment.ts';
import { findDeployable } from './find-version.ts';
import { live, previousOf } from './live-deployment.ts';
import type { ChangeOptions } from './publisher-options.ts';

export interface DeployOptions extends ChangeOptions {
  readonly model: string;
  readonly version: string;
  /**
   * Default `all`: the version takes all traffic. Every other one begins beside a live version. Without one, `blue_green`
   * and `rolling`, which end with all traffic anyway, are `all`; a share of the traffic has nothing to be a share of.
   */
  readonly strategy?: DeploymentStrategy;
  /** Share for the candidate in hundredths of a percent; for `canary` and `shadow`, and needed there. */
  readonly trafficBps?: number;
  /** The way of a `canary`, which then begins with the share of the first step; instead of `trafficBps`. */
  readonly steps?: readonly RolloutStep[];
  /** Fields that are given replace those of the deployment that is there. */
  readonly resources?: DeploymentResources;
}

export type DeployResult = DeploymentResult;

/** Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE, INVALID_STRATEGY, INVALID_ARGUMENT, and those of `changeStore`. */
export async function deployModel(options: DeployOptions): Promise<DeployResult> {
  const strategy = options.strategy ?? 'all';
  const trafficBps = firstShare(options);
  checkTraffic(strategy, trafficBps);
  return changeDeployment(options, 'deploy', (snapshot) => {
    const { artifact, version } = findDeployable(snapshot, options);
    const pin = { version, sha256: artifact.sha256 };
    const before = snapshot.deployments.get(options.model);
    const resources = mergeResources(before?.resources, options.resources);
    // A share of traffic has to be a share of something.
    const isFirst = before === undefined && !hasTraffic(strategy);
    const next =
      hasCandidate(strategy) && !isFirst
        ? beside(options, { before, candidate: pin, strategy, trafficBps })
        : live(options.model, pin, before);
    return { ...next, ...(resources !== undefined && { resources }) };
  });
}

function beside(
  options: DeployOptions,
  rollout: {
    readonly before: Deployment | undefined;
    readonly candidate: VersionPin;
    readonly strategy: DeploymentStrategy;
    readonly trafficBps: number | undefined;
  },
): Deployment {
  const { before, candidate, strategy, trafficBps } = rollout;
  if (before === undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `No version of ${options.model} is live, so there is nothing to begin ${strategy} beside. Deploy one for all traffic first.`,
    );
  }
  if (before.version === candidate.version) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `${options.model} ${candidate.version} is live already; it cannot be its own candidate.`,
    );
  }
  const { model, version, sha256 } = before;
  const { steps } = options;
  // Another share or another way for the same candidate is the same rollout: its users stay, its evidence counts.
  const goesOn =
    before.candidate?.version === candidate.version && before.candidate.sha256 === candidate.sha256;
  return {
    model,
    version,
    sha256,
    ...previousOf(before),
    strategy,
    candidate,
    ...(trafficBps !== undefined && { trafficBps }),
    rolloutId: (goesOn ? before.rolloutId : undefined) ?? newId(model),
    ...(steps !== undefined && { plan: (goesOn ? samePlan(before, steps) : undefined) ?? newPlan(steps) }),
  };
}

function newId(model: string): string {
  return `${model}:${randomUUID().slice(0, 8)}`;
}

function newPlan(steps: readonly RolloutStep[]): RolloutPlan {
  return { steps, approvals: 0, paused: false };
}

/** Saying the same steps again, as a pipeline does, must neither resume a rollout nor take an approval back. */
function samePlan({ plan }: Deployment, steps: readonly RolloutStep[]): RolloutPlan | undefined {
  if (plan === undefined) return undefined;
  const said = JSON.stringify(planJson({ ...plan, steps }));
  return said === JSON.stringify(planJson(plan)) ? plan : undefined;
}

function firstShare({ strategy, steps, trafficBps }: DeployOptions): number | undefined {
  if (steps === undefined) return trafficBps;
  if (strategy !== 'canary' || trafficBps !== undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      'Steps are the way of a canary, instead of one share of its own.',
    );
  }
  const problem = stepsProblem(steps);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return steps[0]?.trafficBps;
}

function checkTraffic(strategy: DeploymentStrategy, trafficBps: number | undefined): void {
  if (!hasTraffic(strategy)) {
    if (trafficBps === undefined) return;
    throw new StoreError('INVALID_STRATEGY', `${strategy} does not divide traffic; leave the share out.`);
  }
  const fits =
    trafficBps !== undefined &&
    Number.isInteger(trafficBps) &&
    trafficBps >= 0 &&
    trafficBps <= trafficBpsMax;
  if (fits) return;
  throw new StoreError(
    'INVALID_STRATEGY',
    `${strategy} needs the share of the candidate, 0 to ${trafficBpsMax} hundredths of a percent.`,
  );
}
