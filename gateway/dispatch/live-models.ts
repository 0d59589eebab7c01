/**
 * Brings what is loaded in line with what the store says is deployed: load and warm the new, swap the route table, drain
 * the old, release it. Make before break, one load at a time, one deployment after the other.
 *
 * Invariants: a version is in the route table only while lanes hold it; a deployment whose new
 * version does not load keeps serving what it served; a generation is unloaded after its last request let go.
 */
import type {
  Deployment,
  DeploymentBatching,
  StoreSnapshot,
  VersionMetadata,
} from '../../registry-store/main.ts';
import type { Quarantine } from '../../runtime/pool/fault-record.ts';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import { type ModelRoutes, RouteTable } from '../route/route-table.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import type { RolloutReport } from '../telemetry/rollout-report.ts';
import type { DeploymentProblem } from '../telemetry/store-report.ts';
import { DeploymentProblems } from './deployment-problems.ts';
import { GenerationLoader, type GenerationLoaderOptions } from './generation-loader.ts';
import { ModelGeneration } from './model-generation.ts';
import type { ModelArm } from './live-rollout.ts';
import { LiveRollouts, type LiveRolloutsOptions } from './live-rollouts.ts';
import type { LiveReplicas } from './live-replicas.ts';
import { servedVersions } from './served-version.ts';
import type { LiveShadows } from './live-shadows.ts';
import type { ShadowMirror } from './shadow-mirror.ts';

export interface LiveModelsOptions
  extends GenerationLoaderOptions, Pick<LiveRolloutsOptions, 'watches' | 'memory' | 'counts' | 'agreement'> {
  readonly metrics: MetricsPage;
  /** How requests of a model are batched from now on. */
  readonly tune: (model: string, batching: DeploymentBatching | undefined) => void;
  /** Called for a generation that no request holds any more, before it is unloaded. */
  readonly forget: (generation: ModelGeneration) => void;
  /** Puts a new table in force; called after each deployment that changed. */
  readonly setRoutes: (routes: RouteTable<ModelGeneration, ShadowMirror>) => void;
  readonly shadows: LiveShadows;
  readonly replicas: LiveReplicas;
}

/** A load that failed for a reason that may pass is tried again after this long, milliseconds. */
const retryDelayMs = 5000;
type Routes = ModelRoutes<ModelGeneration, ShadowMirror>;

export class LiveModels {
  readonly #options: LiveModelsOptions;
  readonly #loader: GenerationLoader;
  readonly #rollouts: LiveRollouts;
  readonly #replicas: LiveReplicas;
  readonly #models = new Map<string, Routes>();
  readonly #notReady = new Map<string, string>();
  readonly #problems: DeploymentProblems;
  #next: StoreSnapshot | undefined;
  #lastSnapshot: StoreSnapshot | undefined;
  /** Models to be looked at with the next snapshot; all others are as they should be. */
  #changed = new Set<string>();
  /** Models whose load failed for a reason that may pass. */
  #retried = new Set<string>();
  #working: Promise<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveModelsOptions) {
    this.#options = options;
    this.#problems = new DeploymentProblems(options.log);
    this.#loader = new GenerationLoader(options);
    this.#replicas = options.replicas;
    this.#rollouts = new LiveRollouts({
      ...options,
      moved: (model) => {
        if (this.#lastSnapshot !== undefined)
          void this.apply(this.#next ?? this.#lastSnapshot, new Set([model]));
      },
      rollBack: (arm) => {
        this.#rollBack(arm);
      },
    });
    options.metrics.gauge(this.#rollouts.gauge);
  }

  /**
   * Whether every deployed model has a version that answers. A new version that does not load while the old one serves
   * is a failure, but no reason to take the node out of service: one bad deploy would take all of them.
   */
  get complete(): boolean {
    return (
      [...this.#notReady.keys()].every((model) => this.#models.has(model)) &&
      [...this.#models.values()].every(({ live }) => live.refusal === undefined)
    );
  }

  /** Deployments that are not served as the store says, with the reason. */
  get failures(): ReadonlyMap<string, string> {
    return this.#notReady;
  }

  /** The rollouts that are carried out, and what was decided about them here. */
  rollouts(nowMs: number): RolloutReport {
    return this.#rollouts.report(nowMs);
  }

  /** The same for machines, and with those whose rollout is not carried out. */
  get problems(): ReadonlyMap<string, DeploymentProblem> {
    return this.#problems.all;
  }

  /** Deployments that are carried out with fewer threads than they ask for. */
  get shortfalls(): ReadonlyMap<string, DeploymentProblem> {
    return this.#replicas.shortfallsOf([...this.#models.values()].map(({ live }) => live));
  }

  /** The pool no longer runs a session. A rollout ends with its candidate; a live version makes the node unready. */
  quarantined(quarantine: Quarantine): void {
    const generation = this.#replicas.quarantine(quarantine);
    if (generation === undefined) return;
    const { live, split } = this.#models.get(generation.modelName) ?? {};
    if (live === generation) this.#problems.quarantined(live.modelName);
    const arm = split?.arms.find(({ candidate }) => candidate === generation);
    if (arm === undefined) return;
    const reason = `the candidate was quarantined, threads it cost: ${quarantine.losses}`;
    this.#options.watches.get(arm.rolloutId)?.giveUp(reason);
  }

  /** The pool runs it again. */
  released(session: number): void {
    const generation = this.#replicas.release(session);
    if (generation !== undefined) this.#problems.released(generation.modelName);
  }

  /**
   * Resolves when this snapshot, or a newer one that came meanwhile, is in force as far as it loads. `changedModels` are
   * those that differ from the snapshot applied before; all of them when it is left out.
   */
  apply(snapshot: StoreSnapshot, changedModels?: ReadonlySet<string>): Promise<void> {
    this.#next = snapshot;
    const all = [...snapshot.deployments.keys(), ...this.#models.keys(), ...this.#notReady.keys()];
    for (const model of changedModels ?? all) this.#changed.add(model);
    this.#working ??= this.#work();
    return this.#working;
  }

  close(): void {
    this.#closed = true;
    this.#rollouts.close();
    clearTimeout(this.#retryTimer);
  }

  async #work(): Promise<void> {
    for (;;) {
      const snapshot = this.#next;
      if (snapshot === undefined || this.#closed) {
        // In the same step as the look at `#next`, so that no snapshot can fall between the two.
        this.#working = undefined;
        return;
      }
      const changed = this.#changed;
      this.#next = undefined;
      this.#changed = new Set();
      this.#lastSnapshot = snapshot;
      await this.#bringInLine(snapshot, changed);
    }
  }

  async #bringInLine(snapshot: StoreSnapshot, changed: ReadonlySet<string>): Promise<void> {
    const gone = [...changed].filter((model) => !snapshot.deployments.has(model));
    for (const model of gone) {
      this.#notReady.delete(model);
      this.#problems.clear(model);
      this.#rollouts.forget(model);
      this.#options.tune(model, undefined);
      if (this.#models.has(model)) this.#replace(model, undefined);
    }
    if (gone.length > 0) this.#publish();
    for (const model of changed) {
      if (this.#closed) return;
      const deployment = snapshot.deployments.get(model);
      if (deployment === undefined) continue;
      this.#options.tune(model, deployment.batching);
      this.#retried.delete(model);
      await this.#bringModelInLine(deployment, servedVersions(deployment, snapshot.models));
    }
  }

  async #bringModelInLine(
    deployment: Deployment,
    versions: ReadonlyMap<string, VersionMetadata>,
  ): Promise<void> {
    const { model } = deployment;
    if (!this.#models.has(model)) {
      this.#notReady.set(model, 'loading');
      this.#publish();
    }
    const live = await this.#generation(versions.get(deployment.version), deployment);
    if (typeof live === 'string') {
      this.#notReady.set(model, live);
      this.#problems.notServed(deployment, live, this.#models.has(model));
      this.#publish();
      return;
    }
    this.#notReady.delete(model);
    const all = new Map([[live.modelVersion, live]]);
    // At once, where no rollout has a say: what it may go back to is loaded beside its traffic.
    if (!this.#models.has(model) && (deployment.candidate ?? deployment.watch) === undefined)
      this.#replace(model, { live, versions: new Map(all) });
    const previous = await this.#previous(deployment, versions);
    if (previous !== undefined) all.set(previous.modelVersion, previous);
    if (live.refusal === undefined) this.#problems.clear(model);
    const candidates = await this.#candidates(deployment, versions, live);
    for (const [version, candidate] of candidates) all.set(version, candidate);
    const loaded = { live, candidates, previous };
    await this.#replicas.prepare(this.#rollouts.begin(deployment, loaded));
    // Once more: it may have been rolled back while replicas came.
    const course = this.#rollouts.begin(deployment, loaded);
    if (course.rolledBack.length > 0) this.#problems.rolledBack(model);
    const mirror = await this.#mirror(deployment, versions);
    this.#replace(model, {
      live: course.live,
      versions: all,
      ...(course.split !== undefined && { split: course.split }),
      ...(mirror !== undefined && { mirror }),
    });
  }

  /** The version before the live one, as far as it loads. */
  async #previous(
    deployment: Deployment,
    versions: ReadonlyMap<string, VersionMetadata>,
  ): Promise<ModelGeneration | undefined> {
    const { model, previousVersion: version } = deployment;
    if (version === undefined) return undefined;
    const loaded = await this.#generation(versions.get(version), deployment);
    if (typeof loaded !== 'string') return loaded;
    this.#options.log.warn({ model, version, reason: loaded }, 'previous version not kept');
    return undefined;
  }

  /**
   * The versions of a rollout, loaded and warm beside the live one: for `canary` each takes its share, for `blue_green` it
   * waits, callable by name, until it is promoted. One that does not load leaves the live version with its requests.
   */
  async #candidates(
    deployment: Deployment,
    versions: ReadonlyMap<string, VersionMetadata>,
    live: ModelGeneration,
  ): Promise<ReadonlyMap<string, ModelGeneration>> {
    const { strategy, model } = deployment;
    const candidates = new Map<string, ModelGeneration>();
    if (strategy === 'shadow') return candidates;
    if (strategy === 'rolling' && deployment.plan === undefined) {
      this.#problems.strategyUnsupported(deployment);
      return candidates;
    }
    const resources = this.#rollouts.resourcesOf(deployment, live);
    for (const { version } of candidatesOf(deployment)) {
      const loaded = await this.#generation(versions.get(version), { resources });
      if (typeof loaded === 'string') this.#problems.candidateNotServed({ model, version }, loaded);
      else candidates.set(version, loaded);
    }
    return candidates;
  }

  async #mirror(
    deployment: Deployment,
    versions: ReadonlyMap<string, VersionMetadata>,
  ): Promise<ShadowMirror | undefined> {
    const { strategy, candidate } = deployment;
    if (strategy !== 'shadow' || candidate === undefined) return undefined;
    const mirror = await this.#options.shadows.mirrorOf(deployment, versions.get(candidate.version));
    if (!('reason' in mirror)) return mirror;
    this.#problems.candidateNotServed({ model: deployment.model, version: candidate.version }, mirror.reason);
    if (mirror.mayPass) this.#retryLater(deployment.model);
    return undefined;
  }

  /** Swaps the routes of one model and lets go of what is no longer in them. */
  #replace(model: string, routes: Routes | undefined): void {
    const before = this.#models.get(model);
    if (routes === undefined) this.#models.delete(model);
    else this.#models.set(model, routes);
    this.#publish();
    this.#rollouts.changed(before?.split, routes?.split, routes?.live);
    if (before?.mirror !== undefined && before.mirror !== routes?.mirror) {
      this.#options.shadows.end(before.mirror);
    }
    if (before?.live !== routes?.live) {
      const version = routes?.live.modelVersion;
      this.#options.log.info({ model, version, before: before?.live.modelVersion }, 'live version changed');
    }
    const kept = new Set(routes?.versions.values());
    for (const generation of before?.versions.values() ?? []) {
      if (!kept.has(generation)) this.#retireSafely(generation);
    }
  }

  /** Away from the candidate at once: the version before is loaded and warm, so this is one swap. */
  #rollBack({ rolloutId, stable }: ModelArm): void {
    const model = stable.modelName;
    const routes = this.#models.get(model);
    if (routes?.split?.arms.some((arm) => arm.rolloutId === rolloutId) !== true) return;
    const split = this.#rollouts.without(routes.split, rolloutId);
    this.#problems.rolledBack(model);
    this.#replace(model, { live: stable, versions: routes.versions, ...(split !== undefined && { split }) });
  }

  #publish(): void {
    this.#options.setRoutes(new RouteTable(new Map(this.#models), new Map(this.#notReady)));
  }

  #retireSafely(generation: ModelGeneration): void {
    this.#retire(generation).catch((error: unknown) => {
      this.#options.log.error({ err: error, model: generation.modelName }, 'version could not be released');
    });
  }

  async #retire(generation: ModelGeneration): Promise<void> {
    await generation.drained();
    this.#options.forget(generation);
    this.#replicas.forget(generation);
    await this.#options.pool.unload(generation.session);
    const { modelName: model, modelVersion: version } = generation;
    this.#options.log.info({ model, version }, 'version released');
  }

  /** The loaded generation of a version, loading it if need be, or the reason why there is none. */
  async #generation(
    version: VersionMetadata | undefined,
    { resources }: { readonly resources?: DeploymentResources | undefined },
  ): Promise<ModelGeneration | string> {
    if (version === undefined) return 'the version is not in the store';
    const loaded = this.#models.get(version.name)?.versions.get(version.version);
    const outcome =
      loaded?.sha256 === version.artifact.sha256 ? loaded : await this.#loader.load(version, resources);
    if (outcome instanceof ModelGeneration) {
      await this.#replicas.fit(outcome, resources);
      return outcome;
    }
    if (outcome.mayPass) this.#retryLater(version.name);
    return outcome.reason;
  }

  #retryLater(model: string): void {
    clearTimeout(this.#retryTimer);
    this.#retried.add(model);
    if (this.#closed) return;
    this.#retryTimer = setTimeout(() => {
      const snapshot = this.#next ?? this.#lastSnapshot;
      if (snapshot !== undefined) void this.apply(snapshot, new Set(this.#retried));
    }, retryDelayMs);
  }
}
