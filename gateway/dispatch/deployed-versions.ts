/**
 * The versions that a deployment is about, as far as they load: the live one, the one before it, those of a rollout, and the
 * shadow that gets copies. Each of them in memory, or dormant where it may be.
 */
import type { Deployment } from '../../registry-store/main.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { DeploymentProblems } from './deployment-problems.ts';
import type { NotLoaded } from './generation-loader.ts';
import type { LiveShadows } from './live-shadows.ts';
import type { ModelGeneration } from './model-generation.ts';
import type { ModelMemory } from './model-memory.ts';
import type { ResidentVersions, WantedVersion } from './resident-versions.ts';
import type { LoadedVersions } from './rollout-course.ts';
import { watchIdOf } from './rollout-id.ts';
import type { RolloutMemory } from './rollout-memory.ts';
import type { ServedVersion } from './served-version.ts';
import type { ShadowMirror } from './shadow-mirror.ts';

export interface DeployedVersionsOptions {
  readonly resident: ResidentVersions;
  readonly memory: ModelMemory;
  readonly shadows: LiveShadows;
  /** What this node decided about rollouts. */
  readonly rollouts: RolloutMemory;
  /** What a candidate is to have beside the live version. */
  readonly resourcesOf: (deployment: Deployment, live: ModelGeneration) => DeploymentResources | undefined;
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
  live(model: DeployedModel, serving: ModelGeneration | undefined): Promise<ModelGeneration | NotLoaded> {
    const { deployment } = model;
    const isHeld = this.#isDividing(deployment) || this.#options.memory.isPinned(deployment.model);
    return this.#obtain(model, { name: deployment.version, want: isHeld ? 'held' : 'ahead', serving });
  }

  /** Those beside the live one. */
  async beside(model: DeployedModel, live: ModelGeneration): Promise<LoadedVersions> {
    const previous = await this.#previous(model, live);
    return { live, previous, candidates: await this.#candidates(model, live) };
  }

  /** What traffic is divided between stays in memory; what is only kept for a rollback is the first to go. */
  assignRoles({ deployment }: DeployedModel, { live, previous }: LoadedVersions): void {
    const { memory } = this.#options;
    memory.assign(live, this.#isDividing(deployment) ? 'rollout' : 'live');
    if (previous !== undefined) memory.assign(previous, this.#isWatched(deployment) ? 'rollout' : 'spare');
  }

  /** One that requests wait for. */
  asked({ deployment, versions }: DeployedModel, name: string): Promise<ModelGeneration | NotLoaded> {
    return this.#obtain({ deployment, versions }, { name, want: 'asked', serving: undefined });
  }

  async mirror({ deployment, versions }: DeployedModel): Promise<ShadowMirror | undefined> {
    const { strategy, candidate, model } = deployment;
    if (strategy !== 'shadow' || candidate === undefined) return undefined;
    const { shadows, problems, retryLater } = this.#options;
    const mirror = await shadows.mirrorOf(deployment, versions.get(candidate.version));
    if (!('reason' in mirror)) return mirror;
    problems.candidateNotServed({ model, version: candidate.version }, mirror.reason);
    if (mirror.mayPass) retryLater(model);
    return undefined;
  }

  /** The version before the live one, as far as it loads. */
  async #previous(model: DeployedModel, live: ModelGeneration): Promise<ModelGeneration | undefined> {
    const { previousVersion: name, model: modelName } = model.deployment;
    if (name === undefined) return undefined;
    const want = this.#isWatched(model.deployment) ? 'held' : 'spare';
    const loaded = await this.#obtain(model, { name, want, serving: live });
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
    const { problems } = this.#options;
    const { deployment } = model;
    const { strategy } = deployment;
    const candidates = new Map<string, ModelGeneration>();
    if (strategy === 'shadow') return candidates;
    if (strategy === 'rolling' && deployment.plan === undefined) {
      problems.strategyUnsupported(deployment);
      return candidates;
    }
    const resources = this.#options.resourcesOf(deployment, live);
    for (const { version } of candidatesOf(deployment)) {
      const loaded = await this.#obtain(model, { name: version, want: 'held', serving: live, resources });
      if ('reason' in loaded)
        problems.candidateNotServed({ model: deployment.model, version }, loaded.reason);
      else candidates.set(version, loaded);
    }
    return candidates;
  }

  async #obtain(
    { deployment, versions }: DeployedModel,
    {
      name,
      ...wanted
    }: Pick<WantedVersion, 'want' | 'serving'> &
      Partial<Pick<WantedVersion, 'resources'>> & { readonly name: string },
  ): Promise<ModelGeneration | NotLoaded> {
    const { resident, routed, retryLater } = this.#options;
    const { model, resources } = deployment;
    const version = versions.get(name);
    if (version === undefined) return { reason: 'the version is not in the store', mayPass: false };
    const outcome = await resident.obtain({ resources, ...wanted, version, known: routed(model, name) });
    // Whoever waits for it asks again by himself.
    if ('reason' in outcome && outcome.mayPass && wanted.want !== 'asked') retryLater(model);
    return outcome;
  }

  /** Whether traffic is divided, copied or watched, or is about to be. */
  #isDividing(deployment: Deployment): boolean {
    return candidatesOf(deployment).length > 0 || this.#isWatched(deployment);
  }

  /** Whether this node may still go back to the version before by itself, or has done so. */
  #isWatched({ watch }: Deployment): boolean {
    if (watch === undefined) return false;
    return this.#options.rollouts.flipOf(watchIdOf(watch.rolloutId))?.isComplete !== true;
  }
}
