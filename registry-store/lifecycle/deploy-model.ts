/**
 * Puts a published version live, or beside the live one as the candidate of a rollout. The version that was live stays
 * named as the previous one, so that nodes keep it loaded and going back is instant.
 */
import { randomUUID } from 'node:crypto';
import {
  armFields,
  armsProblem,
  type CandidateArm,
  candidatesOf,
  pinOf,
  rampsMax,
} from '../manifest/candidate-arms.ts';
import { type Cohorts, cohortsProblem, isEmptyCohorts } from '../manifest/cohorts.ts';
import {
  type Deployment,
  type DeploymentStrategy,
  type VersionPin,
  hasCandidate,
  hasTraffic,
  isAnalysed,
  isJudged,
  trafficBpsMax,
} from '../manifest/deployment.ts';
import type { FlipPlan } from '../manifest/flip-plan.ts';
import { isSamePipeline, type Pipeline } from '../manifest/pipeline.ts';
import { analysisProblem, type RolloutAnalysis } from '../manifest/rollout-analysis.ts';
import type { RolloutPlan } from '../manifest/rollout-plan.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError } from '../store-error.ts';
import {
  type DeploymentResult,
  changeDeployment,
  checkSettings,
  type GivenSettings,
  settings,
  withSettings,
} from './change-deployment.ts';
import { findDeployable } from './find-version.ts';
import { live, previousOf } from './live-deployment.ts';
import { inheritedPipeline, planPipeline, type PipelineRequest } from './plan-pipeline.ts';
import { flipOf, keptPlan, planOf, type PlanRequest } from './plan-rollout.ts';
import type { ChangeOptions } from './publisher-options.ts';

export interface DeployOptions extends ChangeOptions, PlanRequest, GivenSettings {
  readonly model: string;
  readonly version: string;
  /**
   * Default `all`: the version takes all traffic. Every other one begins beside a live version. Without one,
   * `blue_green` and `rolling`, which end with all traffic anyway, are `all`; a share of the traffic has nothing to be
   * a share of.
   */
  readonly strategy?: DeploymentStrategy;
  /** Share for the candidate in hundredths of a percent; for `canary` and `shadow`, and needed there. */
  readonly trafficBps?: number;
  /** Further candidates of a `canary` without steps, each with its share in hundredths of a percent. */
  readonly others?: readonly { readonly version: string; readonly trafficBps: number }[];
  /** How a rollout that is judged is judged, where it is not as usual. Left out, a rollout that goes on is judged as before. */
  readonly analysis?: RolloutAnalysis;
  /**
   * Who meets one version of a `canary` or `rolling` whatever the hash says. Left out, those of a rollout that goes on
   * stay, since a larger share must not lift a ban; cohorts of nobody end them.
   */
  readonly cohorts?: Cohorts;
  /**
   * The models that run before and after the version, and the other candidates. Left out, a version that
   * is deployed already keeps its own and any other one gets those of the live version; one without models ends them.
   */
  readonly pipeline?: PipelineRequest;
}

export type DeployResult = DeploymentResult;

/**
 * Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE, INVALID_STRATEGY, INVALID_ARGUMENT, PIPELINE_REFUSED, and those of
 * `changeStore`.
 */
export async function deployModel(options: DeployOptions): Promise<DeployResult> {
  const strategy = options.strategy ?? 'all';
  checkTraffic(strategy, options);
  checkOthers(strategy, options);
  const flip = flipOf(strategy, options);
  checkAnalysis(isJudged(strategy) || flip !== undefined, options.analysis);
  checkCohorts(strategy, options.cohorts);
  checkSettings(options);
  return changeDeployment(options, 'deploy', (snapshot) => {
    const pin = pinFor(options.version, options, snapshot);
    const others = (options.others ?? []).map(({ version, trafficBps }) => ({
      ...pinFor(version, options, snapshot),
      trafficBps,
    }));
    const before = snapshot.deployments.get(options.model);
    const kept = settings(before, options);
    const { resources } = kept;
    const plan = planOf(strategy, options, resources?.replicas ?? resources?.autoScaling?.minReplicas);
    checkLimits(plan, kept);
    // A share of traffic has to be a share of something.
    const isFirst = before === undefined && !hasTraffic(strategy);
    const next =
      hasCandidate(strategy) && !isFirst
        ? beside(options, { before, candidate: pin, others, strategy, plan, flip })
        : live(options.model, pin, before);
    return withSettings(next, kept);
  });
}

function pinFor(
  version: string,
  { model, pipeline: asked }: DeployOptions,
  snapshot: StoreSnapshot,
): VersionPin {
  const found = findDeployable(snapshot, { model, version });
  const pipeline =
    asked === undefined
      ? inheritedPipeline(pipelineBefore(snapshot.deployments.get(model), version), found, snapshot)
      : planPipeline(asked, found, snapshot);
  return pinOf({ version, sha256: found.artifact.sha256, ...(pipeline !== undefined && { pipeline }) });
}

/** What a version goes on with when nothing is said. */
function pipelineBefore(before: Deployment | undefined, version: string): Pipeline | undefined {
  if (before === undefined || before.version === version) return before?.pipeline;
  const candidate = candidatesOf(before).find((pin) => pin.version === version);
  if (candidate !== undefined) return candidate.pipeline;
  return before.previousVersion === version ? before.previousPipeline : before.pipeline;
}

function beside(
  options: DeployOptions,
  rollout: {
    readonly before: Deployment | undefined;
    readonly candidate: VersionPin;
    readonly others: readonly Omit<CandidateArm, 'rolloutId'>[];
    readonly strategy: DeploymentStrategy;
    readonly plan: RolloutPlan | undefined;
    readonly flip: FlipPlan | undefined;
  },
): Deployment {
  const { before, candidate, others, strategy, flip } = rollout;
  if (before === undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `No version of ${options.model} is live, so there is nothing to begin ${strategy} beside. Deploy one for all traffic first.`,
    );
  }
  const own = [candidate, ...others].find((pin) => pin.version === before.version);
  if (own !== undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `${options.model} ${own.version} is live already; it cannot be its own candidate.`,
    );
  }
  // Another share or another way for the same candidate is the same rollout: its users stay, its evidence counts.
  const goesOn = [candidate, ...others].some((pin) => knownArm(before, pin) !== undefined);
  const isCompared = isAnalysed({ strategy, ...(flip !== undefined && { flip }) });
  const analysis = options.analysis ?? (goesOn && isCompared ? before.analysis : undefined);
  const plan = goesOn ? keptPlan(before, rollout.plan) : rollout.plan;
  const trafficBps =
    strategy === 'canary' ? (plan?.steps[0]?.trafficBps ?? options.trafficBps) : options.trafficBps;
  const arms = [{ ...candidate, trafficBps: trafficBps ?? 0 }, ...others].map((arm) => ({
    ...arm,
    rolloutId: knownArm(before, arm)?.rolloutId ?? newId(before.model),
  }));
  const [{ rolloutId }] = arms as [CandidateArm];
  return {
    model: before.model,
    ...pinOf(before),
    ...previousOf(before),
    strategy,
    ...(strategy === 'canary'
      ? armsIn(arms, goesOn ? before : undefined)
      : { candidate, ...(trafficBps !== undefined && { trafficBps }), rolloutId }),
    ...(plan !== undefined && { plan }),
    ...(flip !== undefined && { flip }),
    ...(analysis !== undefined && { analysis }),
    ...(isJudged(strategy) && cohortsOf(options.cohorts ?? (goesOn ? before.cohorts : undefined))),
  };
}

/** A version of the rollout that is on, with its pipeline; one from before rollouts had ids has none. */
function knownArm(
  before: Deployment,
  { version, sha256, pipeline }: VersionPin,
): (VersionPin & Pick<Deployment, 'rolloutId'>) | undefined {
  const { candidate, rolloutId, others = [] } = before;
  const first =
    candidate === undefined ? [] : [{ ...candidate, ...(rolloutId !== undefined && { rolloutId }) }];
  return [...first, ...others].find(
    (arm) => arm.version === version && arm.sha256 === sha256 && isSamePipeline(arm.pipeline, pipeline),
  );
}

function armsIn(arms: readonly CandidateArm[], before: Deployment | undefined): ReturnType<typeof armFields> {
  const fields = armFields(arms as [CandidateArm, ...CandidateArm[]], before);
  if ((fields.layout?.ramps.length ?? 0) <= rampsMax) return fields;
  throw new StoreError(
    'INVALID_STRATEGY',
    `The shares of these candidates were changed ${rampsMax} times. Promote or abort, and begin another rollout.`,
  );
}

/** Cohorts of nobody are none. */
function cohortsOf(cohorts: Cohorts | undefined): Pick<Deployment, 'cohorts'> {
  return cohorts === undefined || isEmptyCohorts(cohorts) ? {} : { cohorts };
}

function newId(model: string): string {
  return `${model}:${randomUUID().slice(0, 8)}`;
}

function checkAnalysis(isCompared: boolean, analysis: RolloutAnalysis | undefined): void {
  if (analysis === undefined) return;
  if (!isCompared) {
    throw new StoreError(
      'INVALID_STRATEGY',
      'Nothing is judged, so there are no gates; they go with a canary, with rolling, and with a blue_green that is promoted by the nodes or watched.',
    );
  }
  const problem = analysisProblem(analysis);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
}

/** What the load decides about cannot be what a limit counts from. */
function checkLimits(plan: RolloutPlan | undefined, { resources }: GivenSettings): void {
  if (plan?.limits === undefined || resources?.autoScaling === undefined) return;
  throw new StoreError(
    'INVALID_STRATEGY',
    'Replicas that follow the load are not given up by a rolling. Leave --max-unavailable out, or say a fixed number with --replicas.',
  );
}

function checkCohorts(strategy: DeploymentStrategy, cohorts: Cohorts | undefined): void {
  if (cohorts === undefined) return;
  if (!isJudged(strategy)) {
    throw new StoreError(
      'INVALID_STRATEGY',
      'Cohorts belong to a canary or rolling: give it a share, steps or --rolling.',
    );
  }
  const problem = cohortsProblem(cohorts);
  if (problem !== undefined) throw new StoreError('INVALID_ARGUMENT', problem);
}

function checkOthers(strategy: DeploymentStrategy, options: DeployOptions): void {
  const { version, trafficBps = 0, others = [], steps } = options;
  if (others.length === 0) return;
  if (strategy !== 'canary' || steps !== undefined) {
    throw new StoreError('INVALID_STRATEGY', 'Several candidates go with a canary that has no steps.');
  }
  const problem = armsProblem([{ version, trafficBps }, ...others]);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
}

function checkTraffic(strategy: DeploymentStrategy, { steps, trafficBps }: DeployOptions): void {
  if (steps !== undefined) {
    if (trafficBps === undefined) return;
    throw new StoreError('INVALID_STRATEGY', 'Steps have their own shares; leave the other one out.');
  }
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
