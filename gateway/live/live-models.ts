/**
 * Brings what is served in line with what the store says is deployed: load and warm the new, swap the route table, drain
 * the old, release it. Make before break, one load at a time, one deployment after the other. What of it is in memory is
 * the business of resident-versions.ts.
 *
 * Invariants: a version is in the route table only while lanes hold it, or as dormant; a deployment whose new version does
 * not load keeps serving what it served; a generation is unloaded after its last request let go.
 */
import { performance } from 'node:perf_hooks';
import type { Deployment, StoreSnapshot, VersionMetadata } from '../../registry-store/main.ts';
import type { Quarantine } from '../../runtime/pool/fault-record.ts';
import type { Limits } from '../admission/limits.ts';
import type { Woken } from '../dispatch/cold-starts.ts';
import { modelNotReady } from '../dispatch/failure-answers.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import { type ModelRoutes, RouteTable } from '../route/route-table.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import type { RolloutReport } from '../telemetry/rollout-report.ts';
import type { DeploymentProblem } from '../telemetry/store-report.ts';
import { deployedModel, DeployedVersions, versionsOf } from './deployed-versions.ts';
import { DeploymentLine } from './deployment-line.ts';
import { DeploymentProblems } from './deployment-problems.ts';
import type { GenerationLoaderOptions, NotLoaded } from './generation-loader.ts';
import type { ModelMemory } from './model-memory.ts';
import type { LiveReplicas } from './replicas/live-replicas.ts';
import { ResidentVersions } from './resident-versions.ts';
import type { ModelArm } from './rollouts/live-rollout.ts';
import { LiveRollouts, type LiveRolloutsOptions } from './rollouts/live-rollouts.ts';
import { RollingThreads } from './rollouts/rolling-threads.ts';
import type { LiveShadows } from './shadows/live-shadows.ts';
import type { ShadowMirror } from './shadows/shadow-mirror.ts';

export interface LiveModelsOptions
  extends GenerationLoaderOptions, Pick<LiveRolloutsOptions, 'watches' | 'memory' | 'counts' | 'agreement'> {
  readonly metrics: MetricsPage;
  /** How requests of a model are batched and its answers kept from now on. */
  readonly tune: (model: string, deployment: Pick<Deployment, 'batching' | 'cache'>) => void;
  /** Called for a generation that no request holds any more, before it is unloaded. */
  readonly forget: (generation: ModelGeneration) => void;
  /** Puts a new table in force; called after each deployment that changed. */
  readonly setRoutes: (routes: RouteTable<ModelGeneration, ShadowMirror>) => void;
  readonly shadows: LiveShadows;
  readonly replicas: LiveReplicas;
  /** What models may take together, and which of them are in there. */
  readonly modelMemory: ModelMemory;
  readonly limits: Pick<Limits, 'modelIdleMsMax' | 'requestBytesMax'>;
}

type Routes = ModelRoutes<ModelGeneration, ShadowMirror>;

export class LiveModels {
  readonly #options: LiveModelsOptions;
  readonly #line: DeploymentLine;
  readonly #resident: ResidentVersions;
  readonly #rollouts: LiveRollouts;
  readonly #replicas: LiveReplicas;
  readonly #rolling: RollingThreads;
  readonly #models = new Map<string, Routes>();
  readonly #notReady = new Map<string, string>();
  readonly #problems: DeploymentProblems;
  readonly #versions: DeployedVersions;

  constructor(options: LiveModelsOptions) {
    const { modelMemory, log, shadows } = options;
    this.#options = options;
    this.#problems = new DeploymentProblems(options.log);
    this.#replicas = options.replicas;
    this.#resident = new ResidentVersions({
      ...options,
      memory: modelMemory,
      freed: () => {
        this.#line.freed();
      },
    });
    this.#line = new DeploymentLine({
      known: () => [...this.#models.keys(), ...this.#notReady.keys()],
      isFirst: (model) => modelMemory.isPinned(model),
      gone: (models) => {
        this.#gone(models);
      },
      bring: (model, snapshot) => this.#bringInLine(model, snapshot),
      wake: (generation, snapshot) => this.#wake(generation, snapshot),
      spend: () => this.#replicas.growBack(),
    });
    this.#rolling = new RollingThreads({
      pool: options.pool,
      memory: options.memory,
      affordable: (generation) => modelMemory.affordable(generation),
    });
    this.#versions = new DeployedVersions({
      resident: this.#resident,
      memory: modelMemory,
      shadows,
      rollouts: options.memory,
      rolling: this.#rolling,
      problems: this.#problems,
      log,
      routed: (model, version) => this.#routed(model, version),
      retryLater: (model) => {
        this.#line.retryLater(model);
      },
    });
    this.#rollouts = new LiveRollouts({
      ...options,
      rolling: this.#rolling,
      moved: (model) => {
        this.#line.lookAgain(new Set([model]));
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

  /** Every version that can be called, in memory or not. */
  get versions(): readonly ModelGeneration[] {
    return [...this.#models.values()].flatMap(({ versions }) => [...versions.values()]);
  }

  /** By model, as they are in force. */
  get routes(): ReadonlyMap<string, Routes> {
    return this.#models;
  }

  /** The rollouts that are carried out, and what was decided about them here. */
  rollouts(nowMs: number): RolloutReport {
    return this.#rollouts.report(nowMs);
  }

  /** The failures as codes, and with them what is served while its rollout is not carried out. */
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

  /** See `DeploymentLine.apply`. */
  apply(snapshot: StoreSnapshot, changedModels?: ReadonlySet<string>): Promise<void> {
    for (const model of changedModels ?? snapshot.deployments.keys()) {
      if (!snapshot.deployments.has(model) || this.#models.has(model)) continue;
      // What waits for its turn to load is not ready; to call it unknown would tell its callers to give up.
      this.#notReady.set(model, this.#notReady.get(model) ?? 'loading');
    }
    this.#publish();
    return this.#line.apply(snapshot, changedModels);
  }

  /** Brings a dormant version into memory, because requests wait for it. */
  wake(generation: ModelGeneration): Promise<Woken> {
    return this.#line.wake(generation);
  }

  /** How long that should take, milliseconds; Infinity when nobody can say. */
  expectedMs(generation: ModelGeneration): number {
    return this.#resident.expectedMs(generation, this.#line.awaited);
  }

  /** Why the file can never be in memory here, whoever deploys it; undefined when it may. */
  memoryRefusalOf(artifact: VersionMetadata['artifact']): string | undefined {
    return this.#resident.refusalOf(artifact)?.reason;
  }

  close(): void {
    this.#line.close();
    this.#problems.close();
    this.#resident.close();
    this.#rollouts.close();
  }

  #gone(models: readonly string[]): void {
    for (const model of models) {
      this.#notReady.delete(model);
      this.#problems.clear(model);
      this.#rollouts.forget(model);
      this.#options.tune(model, {});
      if (this.#models.has(model)) this.#replace(model, undefined);
    }
    if (models.length > 0) this.#publish();
  }

  async #bringInLine(name: string, snapshot: StoreSnapshot): Promise<void> {
    const model = deployedModel(name, snapshot);
    if (model === undefined) return;
    this.#options.tune(name, model.deployment);
    const live = await this.#versions.live(model, this.#models.get(name)?.live);
    if ('reason' in live) {
      this.#notReady.set(name, live.reason);
      this.#problems.notServed(model.deployment, live.reason, this.#models.has(name));
      this.#publish();
      return;
    }
    this.#notReady.delete(name);
    if (live.refusal === undefined) this.#problems.clear(name);
    const { deployment } = model;
    // At once, where no rollout has a say: what it may go back to is loaded beside its traffic.
    if (!this.#models.has(name) && (deployment.candidate ?? deployment.watch) === undefined)
      this.#replace(name, { live, versions: new Map([[live.modelVersion, live]]) });
    const loaded = await this.#versions.beside(model, live);
    await this.#replicas.prepare(this.#rollouts.begin(deployment, loaded));
    // Once more: it may have been rolled back while replicas came.
    const course = this.#rollouts.begin(deployment, loaded);
    if (course.rolledBack.length > 0) this.#problems.rolledBack(name);
    const mirror = await this.#versions.mirror(model, course);
    this.#versions.assignRoles(model, loaded);
    this.#replace(name, {
      live: course.live,
      versions: versionsOf(loaded),
      ...(course.split !== undefined && { split: course.split }),
      ...(mirror !== undefined && { mirror }),
    });
    await this.#versions.settle(model, loaded);
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
    const [from, to] = [before?.live, routes?.live];
    if (from?.modelVersion !== to?.modelVersion || from?.sha256 !== to?.sha256) {
      const version = to?.modelVersion;
      this.#options.log.info({ model, version, before: from?.modelVersion }, 'live version changed');
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
    const { modelName } = generation;
    this.#resident
      .retire(generation)
      .then(() => {
        const { live } = this.#models.get(modelName) ?? {};
        // What it left room for.
        const lacks = live !== undefined && this.#replicas.lacksMemory(live);
        if (lacks || this.#rolling.isLimited(modelName)) this.#line.lookAgain(new Set([modelName]));
      })
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, model: modelName }, 'version could not be released');
      });
  }

  async #wake(dormant: ModelGeneration, snapshot: StoreSnapshot): Promise<Woken> {
    const { modelName, modelVersion } = dormant;
    const model = deployedModel(modelName, snapshot);
    // Replaced meanwhile: whoever waits for it meets what is there now.
    if (model === undefined || this.#routed(modelName, modelVersion) !== dormant)
      return { kind: 'look_again' };
    const begunMs = performance.now();
    const loaded = await this.#versions.asked(model, modelVersion);
    if ('reason' in loaded) return this.#notWoken(dormant, model.deployment, loaded);
    loaded.metrics.coldStarts += 1;
    const tookMs = Math.round(performance.now() - begunMs);
    this.#options.log.info(
      { model: modelName, version: modelVersion, tookMs },
      'version loaded, requests wait for it',
    );
    const { live, split } = this.#models.get(modelName) ?? {};
    // It carries the traffic from now on: what it has is what a version after it is brought to.
    if (live === dormant)
      await this.#replicas.prepare({ live: loaded, ...(split !== undefined && { split }) });
    const routes = this.#models.get(modelName);
    if (routes === undefined) return { kind: 'look_again' };
    const isLive = routes.live === dormant;
    if (isLive) this.#problems.clear(modelName);
    else this.#options.modelMemory.assign(loaded, 'spare');
    const versions = new Map(routes.versions).set(modelVersion, loaded);
    this.#replace(modelName, { ...routes, live: isLive ? loaded : routes.live, versions });
    return { kind: 'look_again' };
  }

  #notWoken(
    dormant: ModelGeneration,
    deployment: Deployment,
    { reason, roomAtMs, mayPass }: NotLoaded,
  ): Woken {
    if (roomAtMs !== undefined) return { kind: 'later', atMs: roomAtMs };
    const { modelName: model, modelVersion } = dormant;
    // Whoever asks again shall not have it loaded again and again for nothing.
    if (!mayPass) dormant.refusal = modelNotReady;
    if (deployment.version === modelVersion) this.#problems.notServed(deployment, reason, false);
    else this.#options.log.warn({ model, version: modelVersion, reason }, 'previous version not kept');
    return { kind: 'failed', error: modelNotReady };
  }

  #routed(model: string, version: string): ModelGeneration | undefined {
    return this.#models.get(model)?.versions.get(version);
  }
}
