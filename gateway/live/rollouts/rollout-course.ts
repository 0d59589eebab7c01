/**
 * What a node does with the traffic of a model, from what is deployed, what is loaded and what it remembers: which version
 * is live here, and how requests are divided while a rollout is on.
 */
import type { Deployment } from '../../../registry-store/main.ts';
import { isJudged } from '../../../registry-store/manifest/deployment.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import { within } from '../../rollout/rollout-steps.ts';
import { TrafficSplit } from '../../route/traffic-split.ts';
import { type ModelSplit, stepStateOf } from './live-rollout.ts';
import { rolloutIdOf, watchIdOf } from './rollout-id.ts';
import type { RolloutMemory } from './rollout-memory.ts';

/** What is loaded of a deployment. */
export interface LoadedVersions {
  readonly live: ModelGeneration;
  /** Beside the live one, by their versions. */
  readonly candidates: ReadonlyMap<string, ModelGeneration>;
  readonly previous: ModelGeneration | undefined;
}

export interface Course {
  /** Takes the requests that name no version, as far as `split` says nothing else. */
  readonly live: ModelGeneration;
  readonly split?: ModelSplit;
  /** The rollouts that this node went back from, whatever the store says of them. */
  readonly rolledBack: readonly string[];
}

/** What a node knows beside what is deployed and loaded. */
export interface NodeKnowledge {
  readonly memory: RolloutMemory;
  /** The share of the step at which this node stands, as far as the threads for it hold the candidate. */
  readonly readyBps: (
    deployment: Deployment,
    versions: { readonly live: ModelGeneration; readonly candidate: ModelGeneration },
  ) => number;
}

/** Every node and every start divides alike at the same share. */
export function courseOf(deployment: Deployment, loaded: LoadedVersions, node: NodeKnowledge): Course {
  const { memory } = node;
  const { live, candidates, previous } = loaded;
  const { strategy, flip, watch } = deployment;
  if (watch !== undefined && previous !== undefined) {
    return watchCourse(watch.rolloutId, { live, previous }, memory);
  }
  if (isJudged(strategy)) return dividedCourse(deployment, { live, candidates }, node);
  const candidate = candidates.get(deployment.candidate?.version ?? '');
  if (candidate === undefined || flip === undefined) return { live, rolledBack: [] };
  const rolloutId = rolloutIdOf(deployment);
  if (memory.has(rolloutId)) return { live, rolledBack: [rolloutId] };
  const isFlipped = memory.flipOf(rolloutId)?.reference !== undefined;
  const stage = isFlipped ? 'promoted' : 'preview';
  const trafficBps = isFlipped ? allBps : 0;
  const split = new TrafficSplit({ rolloutId, stable: live, candidate, trafficBps, stage });
  return { live: isFlipped ? candidate : live, split, rolledBack: [] };
}

const allBps = 10_000;

function watchCourse(
  promotedBy: string,
  { live, previous }: { readonly live: ModelGeneration; readonly previous: ModelGeneration },
  memory: RolloutMemory,
): Course {
  const rolloutId = watchIdOf(promotedBy);
  // A person's promotion counts more than what this node decided about the rollout, but not than what it did since.
  if (memory.has(rolloutId)) return { live: previous, rolledBack: [rolloutId] };
  // Whoever flipped before the promotion was signed goes on with its watch.
  const before = memory.has(promotedBy) ? undefined : memory.flipOf(promotedBy);
  if (memory.flipOf(rolloutId) === undefined && before?.reference !== undefined) {
    memory.setFlip(rolloutId, before);
  }
  if (memory.flipOf(rolloutId)?.isComplete === true) return { live, rolledBack: [] };
  const versions = { stable: previous, candidate: live };
  return {
    live,
    rolledBack: [],
    split: new TrafficSplit({ rolloutId, ...versions, trafficBps: allBps, stage: 'promoted' }),
  };
}

/** The share that is signed for where this node stands. */
export function stepBps(deployment: Deployment, memory: RolloutMemory): number {
  const { plan, trafficBps = 0 } = deployment;
  if (plan === undefined) return trafficBps;
  const known = memory.stepOf(rolloutIdOf(deployment));
  const step = known === undefined ? 0 : within(plan, known).step;
  return plan.steps[step]?.trafficBps ?? trafficBps;
}

function dividedCourse(
  deployment: Deployment,
  { live, candidates }: Pick<LoadedVersions, 'live' | 'candidates'>,
  { memory, readyBps }: NodeKnowledge,
): Course {
  const { plan, cohorts, layout, candidate, others = [] } = deployment;
  const rolloutId = rolloutIdOf(deployment);
  const arms = [{ version: candidate?.version ?? '', rolloutId }, ...others];
  const ids = arms.map((arm) => arm.rolloutId);
  const rolledBack = ids.filter((id) => memory.has(id));
  const missing = arms.filter(({ version }) => !candidates.has(version)).map((arm) => arm.rolloutId);
  const dropped = [...new Set([...rolledBack, ...missing])];
  if (dropped.length === arms.length) return { live, rolledBack };
  // The clock of the first step runs from here, when the candidate is ready.
  if (plan !== undefined) stepStateOf(memory, rolloutId, plan);
  const first = candidates.get(candidate?.version ?? '') ?? live;
  const split = new TrafficSplit({
    rolloutId,
    stable: live,
    // One that is not loaded is dropped, and nobody is sent there.
    candidate: first,
    trafficBps: readyBps(deployment, { live, candidate: first }),
    others: others.map((arm) => ({ ...arm, candidate: candidates.get(arm.version) ?? live })),
    layout,
    dropped,
    cohorts,
  });
  return { live, split, rolledBack };
}
