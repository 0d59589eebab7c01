/** What the control API says about versions and deployments. Every field is always there; null is what nobody asked for. */
import type { Deployment, StoreSnapshot, VersionMetadata } from '../../registry-store/main.ts';
import { batchingJson } from '../../registry-store/manifest/batching.ts';
import { cacheJson } from '../../registry-store/manifest/cache.ts';
import { cohortsJson } from '../../registry-store/manifest/cohorts.ts';
import { flipPlanJson, watchJson } from '../../registry-store/manifest/flip-plan.ts';
import { type Pipeline, pipelineJson } from '../../registry-store/manifest/pipeline.ts';
import { analysisJson } from '../../registry-store/manifest/rollout-analysis.ts';
import { planJson } from '../../registry-store/manifest/rollout-plan.ts';
import { roleOf, versionJson } from '../../registry-store/manifest/version-facts.ts';

type Json = Readonly<Record<string, unknown>>;

export function versionAnswer(version: VersionMetadata, deployment: Deployment | undefined): Json {
  return { ...versionJson(version), deployed_as: roleOf(version, deployment) ?? null };
}

/** `endpoint` is where predictions are asked for. */
export function deploymentAnswer(deployment: Deployment, endpoint: string): Json {
  const { resources, candidate, trafficBps, others, plan, flip, watch, analysis, cohorts } = deployment;
  const { batching, cache } = deployment;
  const { autoScaling } = resources ?? {};
  return {
    model: deployment.model,
    version: deployment.version,
    sha256: deployment.sha256,
    previous_version: deployment.previousVersion ?? null,
    pipeline: pipelineAnswer(deployment.pipeline),
    strategy: deployment.strategy,
    candidate_version: candidate?.version ?? null,
    candidate_pipeline: pipelineAnswer(candidate?.pipeline),
    canary_traffic_percentage: trafficBps === undefined ? null : trafficBps / 100,
    others:
      others === undefined
        ? null
        : others.map((arm) => ({ version: arm.version, percentage: arm.trafficBps / 100 })),
    plan: plan === undefined ? null : planJson(plan),
    flip: flip === undefined ? null : flipPlanJson(flip),
    watch: watch === undefined ? null : watchJson(watch),
    analysis: analysis === undefined ? null : analysisJson(analysis),
    cohorts: cohorts === undefined ? null : cohortsJson(cohorts),
    replicas: resources?.replicas ?? null,
    auto_scaling: autoScaling !== undefined,
    min_replicas: autoScaling?.minReplicas ?? null,
    max_replicas: autoScaling?.maxReplicas ?? null,
    target_cpu_utilization: autoScaling?.targetCpuPercent ?? null,
    cpu_limit: resources?.cpuLimitMillis === undefined ? null : resources.cpuLimitMillis / 1000,
    memory_limit: resources?.memoryLimitBytes ?? null,
    batching: batching === undefined ? null : batchingJson(batching),
    cache: cache === undefined ? null : cacheJson(cache),
    endpoint,
  };
}

function pipelineAnswer(pipeline: Pipeline | undefined): Json | null {
  return pipeline === undefined ? null : pipelineJson(pipeline);
}

/** Every version that fits, by name of the model. */
export function versionsAnswer(
  snapshot: StoreSnapshot,
  filter: { readonly name?: string; readonly stage?: string; readonly tag?: string },
): Json {
  const versions = [...snapshot.models.values()]
    .flatMap((group) => [...group.values()])
    .filter(
      ({ name, stage, tags }) =>
        (filter.name === undefined || name === filter.name) &&
        (filter.stage === undefined || stage === filter.stage) &&
        (filter.tag === undefined || tags.includes(filter.tag)),
    );
  const models = versions.map((version) => versionAnswer(version, snapshot.deployments.get(version.name)));
  return { revision: snapshot.revision, models };
}
