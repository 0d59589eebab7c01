/**
 * What is live for one model: the version that takes the traffic, the one before it, and, while a rollout is on, the
 * candidate beside it. It names digests beside versions, so the holder of a model key cannot swap the bytes of what an
 * operator put live. How a rollout is carried out is the gateway's business; here it is only said.
 */
import { batchingJson, type DeploymentBatching, readBatching } from './batching.ts';
import { cacheJson, type DeploymentCache, readCache } from './cache.ts';
import {
  armsOf,
  armsProblem,
  type BucketLayout,
  type CandidateArm,
  layoutJson,
  othersJson,
  pinJson,
  readLayout,
  readOthers,
  readPin,
  type VersionPin,
} from './candidate-arms.ts';
import { type Cohorts, cohortsJson, readCohorts } from './cohorts.ts';
import type { FieldReader } from './field-reader.ts';
import {
  type FlipPlan,
  flipPlanJson,
  type PromotionWatch,
  readFlipPlan,
  readWatch,
  rolloutIdRule,
  watchJson,
} from './flip-plan.ts';
import { sha256Rule, versionNameRule } from './names.ts';
import { type Pipeline, pipelineJson, readPipeline } from './pipeline.ts';
import { type RolloutAnalysis, analysisJson, readAnalysis } from './rollout-analysis.ts';
import { type RolloutPlan, planJson, readPlan } from './rollout-plan.ts';

export { sha256Rule, type VersionPin };

/** `all` sends everything to the live version; every other strategy has a candidate beside it. */
export const deploymentStrategies = ['all', 'blue_green', 'canary', 'rolling', 'shadow'] as const;

export type DeploymentStrategy = (typeof deploymentStrategies)[number];

export interface AutoScaling {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** 1 to 100. */
  readonly targetCpuPercent: number;
}

/** What a deployment may use on each node. What is left out is for the node to decide. */
export interface DeploymentResources {
  readonly replicas?: number;
  readonly autoScaling?: AutoScaling;
  /** Thousandths of a processor. */
  readonly cpuLimitMillis?: number;
  readonly memoryLimitBytes?: number;
}

export interface Deployment {
  readonly model: string;
  /** The version that takes the traffic. */
  readonly version: string;
  readonly sha256: string;
  /** The models that run before and after the live version; each candidate says its own. */
  readonly pipeline?: Pipeline;
  /** The version that was live before; it stays loaded, so that going back is instant. */
  readonly previousVersion?: string;
  readonly previousSha256?: string;
  readonly previousPipeline?: Pipeline;
  readonly strategy: DeploymentStrategy;
  /** The version a rollout leads to; exactly when the strategy is not `all`. */
  readonly candidate?: VersionPin;
  /** Share of traffic for the candidate in hundredths of a percent, 0 to 10000; exactly for `canary` and `shadow`. */
  readonly trafficBps?: number;
  /**
   * Made by chance when a rollout begins, and kept while it goes on: the salt by which keys are divided, so that each rollout
   * meets other users first. Manifests written before there were ids have none.
   */
  readonly rolloutId?: string;
  /** Further candidates of a `canary` without steps, three at most. */
  readonly others?: readonly CandidateArm[];
  /** Where a `canary` has or had several. */
  readonly layout?: BucketLayout;
  /** The steps of a `canary`, whose `trafficBps` then is the share of the first, and of a `rolling`. */
  readonly plan?: RolloutPlan;
  /** How a `blue_green` that is judged goes on; without it nodes look at nothing and wait. */
  readonly flip?: FlipPlan;
  /** Of a version that was promoted, with strategy `all`: it is watched beside the previous one. */
  readonly watch?: PromotionWatch;
  /** How a `canary`, a `rolling` or a `blue_green` with a flip is judged, where it is not as usual; and a watch. */
  readonly analysis?: RolloutAnalysis;
  /** Who meets one version of a `canary` or `rolling` whatever the hash says. */
  readonly cohorts?: Cohorts;
  readonly resources?: DeploymentResources;
  readonly batching?: DeploymentBatching;
  readonly cache?: DeploymentCache;
}

export const trafficBpsMax = 10_000;
export const replicasMax = 1024;
export const cpuLimitMillisMax = 1_024_000;
export const memoryLimitBytesMax: number = 2 ** 50;

export function hasCandidate(strategy: DeploymentStrategy): boolean {
  return strategy !== 'all';
}

/** Whether the strategy divides traffic by a share. */
export function hasTraffic(strategy: DeploymentStrategy): boolean {
  return strategy === 'canary' || strategy === 'shadow';
}

/** Whether nodes compare the two versions and act on it: where chance decides who meets which. */
export function isJudged(strategy: DeploymentStrategy): boolean {
  return strategy === 'canary' || strategy === 'rolling';
}

/** Whether nodes look at what becomes of the two versions, by chance or one after the other. */
export function isAnalysed({
  strategy,
  flip,
  watch,
}: Pick<Deployment, 'strategy' | 'flip' | 'watch'>): boolean {
  return isJudged(strategy) || (flip ?? watch) !== undefined;
}

/** Problems go to the reader. */
export function readDeployment(model: string, reader: FieldReader): Deployment {
  const strategy = reader.oneOf('strategy', deploymentStrategies);
  const hasPrevious = reader.has('previous_version') || reader.has('previous_sha256');
  if (!hasCandidate(strategy) && reader.has('candidate')) reader.reject('has a candidate without a rollout');
  if (!hasTraffic(strategy) && reader.has('traffic_bps')) reader.reject('divides traffic without a share');
  if (!hasCandidate(strategy) && reader.has('rollout_id'))
    reader.reject('has the id of a rollout without one');
  if (!isJudged(strategy) && reader.has('plan')) reader.reject('has steps without a canary');
  if (strategy !== 'blue_green' && reader.has('flip')) reader.reject('has a flip without a blue_green');
  if ((hasCandidate(strategy) || !hasPrevious) && reader.has('watch')) {
    reader.reject('is watched without a version to go back to');
  }
  if (!hasPrevious && reader.has('previous_pipeline')) reader.reject('has a pipeline of no version');
  const isCompared = isJudged(strategy) || reader.has('flip') || reader.has('watch');
  if (!isCompared && reader.has('analysis')) reader.reject('is to be judged without a canary');
  if (!isJudged(strategy) && reader.has('cohorts')) reader.reject('has cohorts without a canary');
  const trafficBps = hasTraffic(strategy)
    ? reader.integer('traffic_bps', { min: 0, max: trafficBpsMax })
    : undefined;
  const plan = reader.has('plan') ? readPlan(reader.record('plan')) : undefined;
  if (strategy !== 'rolling' && plan?.limits !== undefined)
    reader.reject('limits replicas without a rolling');
  if (strategy === 'canary' && plan !== undefined && plan.steps[0]?.trafficBps !== trafficBps) {
    reader.reject('begins with another share than that of its first step');
  }
  const hasArms = reader.has('others') || reader.has('layout');
  if (hasArms && (strategy !== 'canary' || !reader.has('rollout_id'))) {
    reader.reject('has several candidates without a canary');
  }
  if (reader.has('others') && plan !== undefined) reader.reject('has several candidates and steps');
  const deployment: Deployment = {
    model,
    ...readPin(reader),
    ...(hasPrevious && {
      previousVersion: reader.text('previous_version', versionNameRule),
      previousSha256: reader.text('previous_sha256', sha256Rule),
      ...(reader.has('previous_pipeline') && {
        previousPipeline: readPipeline(reader.record('previous_pipeline')),
      }),
    }),
    strategy,
    ...(hasCandidate(strategy) && { candidate: readPin(reader.record('candidate')) }),
    ...(trafficBps !== undefined && { trafficBps }),
    ...(reader.has('rollout_id') && { rolloutId: reader.text('rollout_id', rolloutIdRule) }),
    ...(plan !== undefined && { plan }),
    ...(reader.has('flip') && { flip: readFlipPlan(reader.record('flip')) }),
    ...(reader.has('watch') && { watch: readWatch(reader.record('watch')) }),
    ...(reader.has('analysis') && { analysis: readAnalysis(reader.record('analysis')) }),
    ...(reader.has('cohorts') && { cohorts: readCohorts(reader.record('cohorts')) }),
    ...(reader.has('others') && { others: readOthers(reader) }),
    ...(reader.has('layout') && { layout: readLayout(reader.record('layout')) }),
    ...(reader.has('resources') && { resources: readResources(reader.record('resources')) }),
    ...(reader.has('batching') && { batching: readBatching(reader.record('batching')) }),
    ...(reader.has('cache') && { cache: readCache(reader.record('cache')) }),
  };
  const problem = armsProblem(armsOf(deployment));
  if (problem !== undefined) reader.reject(`has candidates that cannot be: ${problem}`);
  return deployment;
}

/** `readDeployment` of it gives the same deployment back. The model is the key it is filed under. */
export function deploymentJson(deployment: Deployment): Readonly<Record<string, unknown>> {
  const { previousVersion, previousSha256, previousPipeline, candidate, trafficBps, rolloutId } = deployment;
  const { others, layout, plan, flip, watch, analysis, cohorts, resources, batching, cache } = deployment;
  return {
    ...pinJson(deployment),
    ...(previousVersion !== undefined && { previous_version: previousVersion }),
    ...(previousSha256 !== undefined && { previous_sha256: previousSha256 }),
    ...(previousPipeline !== undefined && { previous_pipeline: pipelineJson(previousPipeline) }),
    strategy: deployment.strategy,
    ...(candidate !== undefined && { candidate: pinJson(candidate) }),
    ...(trafficBps !== undefined && { traffic_bps: trafficBps }),
    ...(rolloutId !== undefined && { rollout_id: rolloutId }),
    ...(others !== undefined && { others: othersJson(others) }),
    ...(layout !== undefined && { layout: layoutJson(layout) }),
    ...(plan !== undefined && { plan: planJson(plan) }),
    ...(flip !== undefined && { flip: flipPlanJson(flip) }),
    ...(watch !== undefined && { watch: watchJson(watch) }),
    ...(analysis !== undefined && { analysis: analysisJson(analysis) }),
    ...(cohorts !== undefined && { cohorts: cohortsJson(cohorts) }),
    ...(resources !== undefined && { resources: resourcesJson(resources) }),
    ...(batching !== undefined && { batching: batchingJson(batching) }),
    ...(cache !== undefined && { cache: cacheJson(cache) }),
  };
}

/** Whether two deployments say the same, or both are missing. */
export function isSameDeployment(left: Deployment | null, right: Deployment | null): boolean {
  if (left === null || right === null) return left === right;
  return left.model === right.model && spelled(left) === spelled(right);
}

/** Fields come out of `deploymentJson` in one order, so equal deployments have equal spellings. */
function spelled(deployment: Deployment): string {
  return JSON.stringify(deploymentJson(deployment));
}

export function readResources(reader: FieldReader): DeploymentResources {
  const resources: DeploymentResources = {
    ...(reader.has('replicas') && { replicas: reader.integer('replicas', { min: 1, max: replicasMax }) }),
    ...(reader.has('auto_scaling') && { autoScaling: readAutoScaling(reader.record('auto_scaling')) }),
    ...(reader.has('cpu_limit_millis') && {
      cpuLimitMillis: reader.integer('cpu_limit_millis', { min: 1, max: cpuLimitMillisMax }),
    }),
    ...(reader.has('memory_limit_bytes') && {
      memoryLimitBytes: reader.integer('memory_limit_bytes', { min: 1, max: memoryLimitBytesMax }),
    }),
  };
  return resources;
}

export function resourcesJson(resources: DeploymentResources): Readonly<Record<string, unknown>> {
  const { replicas, autoScaling, cpuLimitMillis, memoryLimitBytes } = resources;
  return {
    ...(replicas !== undefined && { replicas }),
    ...(autoScaling !== undefined && {
      auto_scaling: {
        min_replicas: autoScaling.minReplicas,
        max_replicas: autoScaling.maxReplicas,
        target_cpu_percent: autoScaling.targetCpuPercent,
      },
    }),
    ...(cpuLimitMillis !== undefined && { cpu_limit_millis: cpuLimitMillis }),
    ...(memoryLimitBytes !== undefined && { memory_limit_bytes: memoryLimitBytes }),
  };
}

function readAutoScaling(reader: FieldReader): AutoScaling {
  const minReplicas = reader.integer('min_replicas', { min: 1, max: replicasMax });
  const maxReplicas = reader.integer('max_replicas', { min: 1, max: replicasMax });
  if (minReplicas > maxReplicas) reader.reject('has more min_replicas than max_replicas');
  return {
    minReplicas,
    maxReplicas,
    targetCpuPercent: reader.integer('target_cpu_percent', { min: 1, max: 100 }),
  };
}
