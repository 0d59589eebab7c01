/**
 * The versions that a deployment is about, as far as they load: the live one, the one before it, those of a rollout, and the
 * shadow that gets copies. Each of them in memory, or dormant where it may be.
 */
import type { Deployment, StoreSnapshot } from '../../registry-store/main.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DeploymentProblems } from './deployment-problems.ts';
import type { NotLoaded } from './generation-loader.ts';
import type { ModelMemory } from './model-memory.ts';
import type { ResidentVersions, WantedVersion } from './resident-versions.ts';
import type { RollingThreads } from './rollouts/rolling-threads.ts';
import type { Course, LoadedVersions } from './rollouts/rollout-course.ts';
import { rolloutIdOf, watchIdOf } from './rollouts/rollout-id.ts';
import type { RolloutMemory } from './rollouts/rollout-memory.ts';
import { type ServedVersion, servedVersions } from './served-version.ts';
import type { LiveShadows } from './shadows/live-shadows.ts';
import type { ShadowMirror } from './shadows/shadow-mirror.ts';

export interface DeployedVersionsOptions {
  readonly resident: ResidentVersions;
  readonly memory: ModelMemory;
  readonly shadows: LiveShadows;
  /** What this node decided about rollouts. */
  readonly rollouts: RolloutMemory;
  /** On how many threads versions are, where a rolling replaces one by the other. */
  readonly rolling: RollingThreads;
  readonly problems: DeploymentProblems;
  readonly log: Logger;
  /** What the routes in force lead to. */
  readonly routed: (model: string, version: string) => ModelGeneration | undefined;
  /** A load failed for a reason that may pass. */
  readonly retryLater: (model: string) => void;
}

/** A deployment with the versions that its model has in the store. */
export interface DeployedModel {
  readonly deployment: Deployment;
  readonly versions: ReadonlyMap<string, ServedVersion>;
}

export class DeployedVersions {
  readonly #options: DeployedVersionsOptions;

  constructor(options: DeployedVersionsOptions) {
    this.#options = options;
  }

  /** `serving` is what takes the requests of the model now, if anything does. */
  async live(
    model: DeployedModel,
    serving: ModelGeneration | undefined,
  ): Promise<ModelGeneration | NotLoaded> {
    const { deployment } = model;
    const { rolling, memory } = this.#options;
    const isHeld = this.#isDividing(deployment) || memory.isPinned(deployment.model);
    const candidate = await this.#shrunkCandidate(model);
    const versions = { live: this.#loaded(deployment.model, deployment.version), candidate };
    const resources = rolling.ofLive(deployment, versions, this.#mayCome(model));
    const want = isHeld ? 'held' : 'ahead';
    return this.#obtain(model, { name: deployment.version, want, serving, resources });
  }

  /** Those beside the live one. */
  async beside(model: DeployedModel, live: ModelGeneration): Promise<LoadedVersions> {
    const { plan, candidate, previousVersion } = model.deployment;
    // Where replicas are counted, a version that comes back is counted as what it is about to be.
    const comesBack = plan?.limits !== undefined && candidate?.version === previousVersion;
    const previous = comesBack ? undefined : await this.#previous(model, live);
    const candidates = await this.#candidates(model, live);
    return { live, previous: comesBack ? candidates.get(candidate?.version ?? '') : previous, candidates };
  }

  /**
   * Once traffic goes where it is to go: whoever has fewer replicas than it should have gets the room of the version that is
   * only kept for a rollback, and the live version its own where the candidate for which it made room did not come.
   */
  async settle({ deployment }: DeployedModel, { live, previous, candidates }: LoadedVersions): Promise<void> {
    const { rolling, resident, rollouts, retryLater } = this.#options;
    // Of one that was given up, the room is free when its last request is answered.
    const isGivenUp = rollouts.has(rolloutIdOf(deployment));
    if (deployment.plan?.limits !== undefined && candidates.size === 0 && !isGivenUp) {
      await resident.refit(live, rolling.ofLive(deployment, { live }, false));
    }
    if (previous === undefined || this.#isNeeded(previous, { deployment, candidates })) return;
    for (const generation of [live, ...candidates.values()]) {
      // It may still be answering.
      if (!(await resident.giveWay(previous, generation))) retryLater(deployment.model);
    }
  }

  /** What traffic is divided between stays in memory; what is only kept for a rollback is the first to go. */
  assignRoles({ deployment }: DeployedModel, { live, previous, candidates }: LoadedVersions): void {
    const { memory } = this.#options;
    memory.assign(live, this.#isDividing(deployment) ? 'rollout' : 'live');
    if (previous === undefined) return;
    memory.assign(previous, this.#isNeeded(previous, { deployment, candidates }) ? 'rollout' : 'spare');
  }

  /** One that requests wait for. */
  asked({ deployment, versions }: DeployedModel, name: string): Promise<ModelGeneration | NotLoaded> {
    const { resources } = deployment;
    return this.#obtain({ deployment, versions }, { name, want: 'asked', serving: undefined, resources });
  }

  /** What gets copies: a shadow, or a preview for which they were signed. */
  async mirror(
    { deployment, versions }: DeployedModel,
    { split }: Pick<Course, 'split'>,
  ): Promise<ShadowMirror | undefined> {
    const { strategy, candidate, model, flip } = deployment;
    const isPreview = split?.arms.some(({ stage }) => stage === 'preview') === true;
    const trafficBps = isPreview ? flip?.mirrorBps : deployment.trafficBps;
    if (candidate === undefined || trafficBps === undefined || !(isPreview || strategy === 'shadow')) {
      return undefined;
    }
    const { shadows, problems, retryLater } = this.#options;
    const mirror = await shadows.mirrorOf({ ...deployment, trafficBps }, versions.get(candidate.version));
    if (!('reason' in mirror)) return mirror;
    problems.candidateNotServed({ model, version: candidate.version }, mirror.reason);
    if (mirror.mayPass) retryLater(model);
    return undefined;
  }

  /** The candidate of a rolling, in memory, on no more threads than it is to be on: those it gives back are the live version's. */
  async #shrunkCandidate(model: DeployedModel): Promise<ModelGeneration | undefined> {
    const { rolling, resident } = this.#options;
    const { deployment } = model;
    const { plan, candidate: pin } = deployment;
    if (plan?.limits === undefined || pin === undefined) return undefined;
    const candidate = this.#loaded(deployment.model, pin.version);
    const live = this.#loaded(deployment.model, deployment.version);
    const resources = rolling.ofCandidate(deployment, { live, candidate });
    if (candidate === undefined || resources === 'none') return candidate;
    if (rolling.isOnMore(candidate, resources)) await resident.refit(candidate, resources);
    return candidate;
  }

  /** Whether room for the candidate has any use, as far as is known before it is loaded. */
  #mayCome({ deployment, versions }: DeployedModel): boolean {
    const version = versions.get(deployment.candidate?.version ?? '');
    return version !== undefined && this.#options.resident.refusalToLoad(version) === undefined;
  }

  /** What there is of a version in memory. */
  #loaded(model: string, version: string): ModelGeneration | undefined {
    const generation = this.#options.routed(model, version);
    return generation?.isDormant === false ? generation : undefined;
  }

  /** The version before the live one, as far as it loads. */
  async #previous(model: DeployedModel, live: ModelGeneration): Promise<ModelGeneration | undefined> {
    const { previousVersion: name, model: modelName } = model.deployment;
    if (name === undefined) return undefined;
    const want = this.#isWatched(model.deployment) ? 'held' : 'spare';
    const resources = this.#options.rolling.ofSpare(model.deployment);
    const loaded = await this.#obtain(model, { name, want, serving: live, resources });
    if (!('reason' in loaded)) return loaded;
    this.#options.log.warn(
      { model: modelName, version: name, reason: loaded.reason },
      'previous version not kept',
    );
    return undefined;
  }

  /**
   * The versions of a rollout, loaded and warm beside the live one: for `canary` each takes its share, for `blue_green` it
   * waits, callable by name, until it is promoted. One that does not load leaves the live version with its requests.
   */
  async #candidates(
    model: DeployedModel,
    live: ModelGeneration,
  ): Promise<ReadonlyMap<string, ModelGeneration>> {
    const { problems, rolling, rollouts } = this.#options;
    const { deployment } = model;
    const { strategy } = deployment;
    const candidates = new Map<string, ModelGeneration>();
    if (strategy === 'shadow') return candidates;
    if (strategy === 'rolling' && deployment.plan === undefined) {
      problems.strategyUnsupported(deployment);
      return candidates;
    }
    for (const { version } of candidatesOf(deployment)) {
      const candidate = this.#loaded(deployment.model, version);
      const resources = rolling.ofCandidate(deployment, { live, candidate });
      if (resources === 'none') {
        if (!rollouts.has(rolloutIdOf(deployment)))
          problems.candidateNotServed({ model: deployment.model, version }, noThread);
        continue;
      }
      const loaded = await this.#obtain(model, { name: version, want: 'held', serving: live, resources });
      if ('reason' in loaded)
        problems.candidateNotServed({ model: deployment.model, version }, loaded.reason);
      else candidates.set(version, loaded);
    }
    return candidates;
  }

  async #obtain(
    { deployment, versions }: DeployedModel,
    { name, ...wanted }: Pick<WantedVersion, 'want' | 'serving' | 'resources'> & { readonly name: string },
  ): Promise<ModelGeneration | NotLoaded> {
    const { resident, routed, retryLater } = this.#options;
    const { model } = deployment;
    const version = versions.get(name);
    if (version === undefined) return { reason: 'the version is not in the store', mayPass: false };
    const outcome = await resident.obtain({ ...wanted, version, known: routed(model, name) });
    // Whoever waits for it asks again by himself.
    if ('reason' in outcome && outcome.mayPass && wanted.want !== 'asked') retryLater(model);
    return outcome;
  }

  /** Whether traffic is divided, copied or watched, or is about to be. */
  #isDividing(deployment: Deployment): boolean {
    return candidatesOf(deployment).length > 0 || this.#isWatched(deployment);
  }

  /** Whether the version before is more than kept for a rollback: watched beside the live one, or about to come back. */
  #isNeeded(
    previous: ModelGeneration,
    { deployment, candidates }: Pick<DeployedModel, 'deployment'> & Pick<LoadedVersions, 'candidates'>,
  ): boolean {
    return this.#isWatched(deployment) || [...candidates.values()].includes(previous);
  }

  /** Whether this node may still go back to the version before by itself, or has done so. */
  #isWatched({ watch }: Deployment): boolean {
    if (watch === undefined) return false;
    return this.#options.rollouts.flipOf(watchIdOf(watch.rolloutId))?.isComplete !== true;
  }
}

const noThread =
  'ROLLING_LIMITS: with the signed limits of its replicas this node has no thread for it beside the one that the live version keeps. Allow a surge, or give the node more threads.';

/** What the store says of a model; undefined where it is not deployed. */
export function deployedModel(name: string, snapshot: StoreSnapshot): DeployedModel | undefined {
  const deployment = snapshot.deployments.get(name);
  return deployment && { deployment, versions: servedVersions(deployment, snapshot) };
}

/** By name; a candidate before the version before, should they be the same. */
export function versionsOf({
  live,
  previous,
  candidates,
}: LoadedVersions): ReadonlyMap<string, ModelGeneration> {
  const all = new Map([[live.modelVersion, live]]);
  if (previous !== undefined) all.set(previous.modelVersion, previous);
  for (const [version, candidate] of candidates) all.set(version, candidate);
  return all;
}
