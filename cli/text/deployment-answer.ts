/** What is deployed for a model after a command about it: the same JSON for all of them, and lines for people. */
import type { Deployment, RolloutPlan } from '../../registry-store/main.ts';
import { batchingJson } from '../../registry-store/manifest/batching.ts';
import { cacheJson } from '../../registry-store/manifest/cache.ts';
import { othersJson } from '../../registry-store/manifest/candidate-arms.ts';
import { cohortsJson } from '../../registry-store/manifest/cohorts.ts';
import { resourcesJson } from '../../registry-store/manifest/deployment.ts';
import { flipPlanJson, watchJson } from '../../registry-store/manifest/flip-plan.ts';
import { pipelineJson } from '../../registry-store/manifest/pipeline.ts';
import { analysisJson } from '../../registry-store/manifest/rollout-analysis.ts';
import { planJson } from '../../registry-store/manifest/rollout-plan.ts';
import { type StoreOptions, placeText } from '../options/store-options.ts';
import { batchingText, cacheText, resourcesText, rolloutText } from './change-text.ts';
import { durationText } from './moment.ts';
import { pipelinesText } from './pipeline-text.ts';

/** `version` and the rest are null when nothing is deployed. */
export function deploymentAnswerJson(
  model: string,
  result: {
    readonly deployment: Deployment | undefined;
    readonly changed: boolean;
    readonly revision: number;
  },
): object {
  const { deployment, changed, revision } = result;
  return { model, ...deploymentFields(deployment), changed, revision };
}

export function deploymentFields(deployment: Deployment | undefined): object {
  return {
    version: deployment?.version ?? null,
    previous_version: deployment?.previousVersion ?? null,
    strategy: deployment?.strategy ?? null,
    candidate_version: deployment?.candidate?.version ?? null,
    traffic_bps: deployment?.trafficBps ?? null,
    others: deployment?.others === undefined ? null : othersJson(deployment.others),
    plan: deployment?.plan === undefined ? null : planJson(deployment.plan),
    flip: deployment?.flip === undefined ? null : flipPlanJson(deployment.flip),
    watch: deployment?.watch === undefined ? null : watchJson(deployment.watch),
    analysis: deployment?.analysis === undefined ? null : analysisJson(deployment.analysis),
    pipeline: deployment?.pipeline === undefined ? null : pipelineJson(deployment.pipeline),
    candidate_pipeline:
      deployment?.candidate?.pipeline === undefined ? null : pipelineJson(deployment.candidate.pipeline),
    cohorts: deployment?.cohorts === undefined ? null : cohortsJson(deployment.cohorts),
    resources: deployment?.resources === undefined ? null : resourcesJson(deployment.resources),
    batching: deployment?.batching === undefined ? null : batchingJson(deployment.batching),
    cache: deployment?.cache === undefined ? null : cacheJson(deployment.cache),
  };
}

/** `iris 2.0.0 is live; 1.0.0 is kept for going back (revision 5)`, and how a rollout goes on. */
export function deploymentLines(
  deployment: Deployment,
  revision: number,
  place: Pick<StoreOptions, 'store' | 'keys'> & { readonly signature?: string },
): readonly string[] {
  const { model, version, previousVersion, candidate, watch, resources, batching, cache } = deployment;
  const kept = previousVersion === undefined ? '' : `; ${previousVersion} is kept for going back`;
  const limits = resourcesText(resources);
  const batches = batchingText(batching);
  const pipelines = pipelinesText(deployment);
  const answers = cacheText(cache);
  return [
    `${model} ${version} is live${kept} (revision ${revision})`,
    ...(pipelines === '' ? [] : [`  runs ${pipelines}`]),
    ...(place.signature === undefined ? [] : [place.signature]),
    ...(limits === '' ? [] : [`  with ${limits}`]),
    ...(batches === '' ? [] : [`  with ${batches}`]),
    ...(answers === '' ? [] : [`  with ${answers}`]),
    ...(watch === undefined
      ? []
      : [
          `  watched for ${durationText(watch.watchMs)}: each gateway goes back to ${previousVersion ?? ''} by itself when it is worse`,
        ]),
    ...(candidate === undefined ? [] : rolloutLines(deployment, candidate.version, place)),
  ];
}

function rolloutLines(
  deployment: Deployment,
  candidate: string,
  place: Pick<StoreOptions, 'store' | 'keys'>,
): readonly string[] {
  const { others = [] } = deployment;
  const { model } = deployment;
  const where = placeText(place);
  const which = others.length === 0 ? '' : ` --version ${candidate}`;
  return [
    `  beside it: ${rolloutText(deployment)}`,
    effectOf(deployment, candidate),
    '',
    `Next: tidegate promote ${model}${which}${where}    puts ${candidate} live`,
    ...others.map(
      ({ version }) => `      tidegate promote ${model} --version ${version}${where}    puts ${version} live`,
    ),
    `      tidegate rollback ${model}${where}   drops ${others.length === 0 ? 'it' : 'all of them'}`,
  ];
}

function effectOf({ version, strategy, others = [], plan, flip }: Deployment, candidate: string): string {
  if (plan !== undefined) return stepsText(plan, candidate);
  if (flip?.autoAfterMs !== undefined) {
    return `Gateways load ${candidate} and flip to it by themselves when the preview shows nothing wrong. Try it: header x-model-version: ${candidate}`;
  }
  switch (strategy) {
    case 'canary':
      return others.length === 0
        ? `Gateways send that share of the keys to ${candidate}; a key that met it stays with it.`
        : 'Gateways send those shares of the keys to them; a key that met one stays with it.';
    case 'blue_green':
      return `Gateways load ${candidate}, and ${version} goes on answering. Try it: header x-model-version: ${candidate}`;
    case 'shadow':
      return `Gateways give ${candidate} copies of that share of the requests and compare; ${version} answers. See tidegate_shadow_* in /metrics.`;
    case 'all':
    case 'rolling':
      return `It was signed without a plan, so gateways do not carry it out: ${version} goes on answering alone.`;
  }
}

function stepsText({ steps }: RolloutPlan, candidate: string): string {
  const waits = steps.slice(0, -1).some(({ holdMs }) => holdMs === undefined);
  const pace = waits ? 'after "tidegate approve"' : 'when a step was held long enough';
  return `Each gateway gives ${candidate} a larger share ${pace}, while nothing shows that it is worse.`;
}
