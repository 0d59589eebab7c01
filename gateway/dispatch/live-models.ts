/**
 * Brings what is loaded in line with what the store says is deployed: load and warm the new, swap the route table, drain
 * the old, release it. Make before break, one load at a time, one deployment after the other.
 *
 * Invariants: a version is in the route table only while every lane that takes work holds it; a deployment whose new
 * version does not load keeps serving what it served; a generation is unloaded after its last request let go.
 */
import type { LoadOutcome, WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Deployment, StoreSnapshot, VersionMetadata } from '../../registry-store/main.ts';
import { type ModelRoutes, RouteTable } from '../route/route-table.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsPage } from '../telemetry/metrics-page.ts';
import { ModelGeneration } from './model-generation.ts';

export interface LiveModelsOptions {
  readonly pool: WorkerPool;
  readonly metrics: MetricsPage;
  readonly log: Logger;
  /** Row counts that a model runs before it takes traffic; the last is the largest batch. */
  readonly warmRows: readonly number[];
  /** The verified bytes of a version's ONNX file. */
  readonly readArtifact: (version: VersionMetadata) => Promise<Uint8Array>;
  /** Called for a generation that no request holds any more, before it is unloaded. */
  readonly forget: (generation: ModelGeneration) => void;
  /** Puts a new table in force; called after each deployment that changed. */
  readonly setRoutes: (routes: RouteTable<ModelGeneration>) => void;
}

/** A load that failed for a reason that may pass is tried again after this long, milliseconds. */
const retryDelayMs = 5000;

type Routes = ModelRoutes<ModelGeneration>;

export class LiveModels {
  readonly #options: LiveModelsOptions;
  readonly #models = new Map<string, Routes>();
  readonly #notReady = new Map<string, string>();
  /** Artifacts that cannot be loaded whatever is tried, with the reason; by digest. */
  readonly #unloadable = new Map<string, string>();
  #next: StoreSnapshot | undefined;
  #lastSnapshot: StoreSnapshot | undefined;
  #working: Promise<void> | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveModelsOptions) {
    this.#options = options;
  }

  /**
   * Whether every deployed model has a version that answers. A new version that does not load while the old one serves
   * is a failure, but no reason to take the node out of service: one bad deploy would take all of them.
   */
  get complete(): boolean {
    return [...this.#notReady.keys()].every((model) => this.#models.has(model));
  }

  /** Deployments that are not served as the store says, with the reason. */
  get failures(): ReadonlyMap<string, string> {
    return this.#notReady;
  }

  /** Resolves when this snapshot, or a newer one that came meanwhile, is in force as far as it loads. */
  apply(snapshot: StoreSnapshot): Promise<void> {
    this.#next = snapshot;
    this.#working ??= this.#work();
    return this.#working;
  }

  close(): void {
    this.#closed = true;
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
      this.#next = undefined;
      this.#lastSnapshot = snapshot;
      await this.#bringInLine(snapshot);
    }
  }

  async #bringInLine(snapshot: StoreSnapshot): Promise<void> {
    clearTimeout(this.#retryTimer);
    for (const model of this.#models.keys()) {
      if (!snapshot.deployments.has(model)) this.#replace(model, undefined);
    }
    for (const model of this.#notReady.keys()) {
      if (!snapshot.deployments.has(model)) this.#notReady.delete(model);
    }
    this.#publish();
    for (const [model, deployment] of snapshot.deployments) {
      if (this.#closed) return;
      await this.#bringModelInLine(model, { deployment, versions: snapshot.models.get(model) ?? new Map() });
    }
  }

  async #bringModelInLine(
    model: string,
    wanted: { readonly deployment: Deployment; readonly versions: ReadonlyMap<string, VersionMetadata> },
  ): Promise<void> {
    const { deployment, versions } = wanted;
    if (!this.#models.has(model)) {
      this.#notReady.set(model, 'loading');
      this.#publish();
    }
    const live = await this.#generation(versions.get(deployment.version));
    if (typeof live === 'string') {
      this.#notReady.set(model, live);
      this.#options.log.error({ model, version: deployment.version, reason: live }, 'deployment not served');
      this.#publish();
      return;
    }
    const all = new Map([[live.modelVersion, live]]);
    if (deployment.previousVersion !== undefined) {
      const previous = await this.#generation(versions.get(deployment.previousVersion));
      if (typeof previous !== 'string') all.set(previous.modelVersion, previous);
      else
        this.#options.log.warn(
          { model, version: deployment.previousVersion, reason: previous },
          'previous version not kept',
        );
    }
    this.#notReady.delete(model);
    this.#replace(model, { live, versions: all });
  }

  /** Swaps the routes of one model and lets go of what is no longer in them. */
  #replace(model: string, routes: Routes | undefined): void {
    const before = this.#models.get(model);
    if (routes === undefined) this.#models.delete(model);
    else this.#models.set(model, routes);
    this.#publish();
    if (before?.live !== routes?.live) {
      const version = routes?.live.modelVersion;
      this.#options.log.info({ model, version, before: before?.live.modelVersion }, 'live version changed');
    }
    const kept = new Set(routes?.versions.values());
    for (const generation of before?.versions.values() ?? []) {
      if (!kept.has(generation)) this.#retireSafely(generation);
    }
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
    await this.#options.pool.unload(generation.session);
    const { modelName: model, modelVersion: version } = generation;
    this.#options.log.info({ model, version }, 'version released');
  }

  /** The loaded generation of a version, loading it if need be, or the reason why there is none. */
  async #generation(version: VersionMetadata | undefined): Promise<ModelGeneration | string> {
    if (version === undefined) return 'the version is not in the store';
    const loaded = this.#models.get(version.name)?.versions.get(version.version);
    if (loaded?.sha256 === version.artifact.sha256) return loaded;
    const known = this.#unloadable.get(version.artifact.sha256);
    if (known !== undefined) return known;
    const outcome = await this.#load(version);
    if (outcome.kind === 'loaded') return this.#generationOf(version, outcome);
    const reason = outcome.kind === 'failed' ? `${outcome.code}: ${outcome.detail}` : outcome.detail;
    // The same bytes will fail the same way; anything else may pass.
    if (outcome.kind === 'failed') this.#unloadable.set(version.artifact.sha256, reason);
    else this.#retryLater();
    return reason;
  }

  async #load(version: VersionMetadata): Promise<LoadOutcome> {
    const { pool, readArtifact, warmRows } = this.#options;
    try {
      return await pool.load({
        signature: version.signature,
        warmRows,
        readModel: () => readArtifact(version),
      });
    } catch (error) {
      return { kind: 'lost', detail: error instanceof Error ? error.message : String(error) };
    }
  }

  #generationOf(version: VersionMetadata, loaded: Extract<LoadOutcome, { kind: 'loaded' }>): ModelGeneration {
    const { name, version: modelVersion, signature } = version;
    const { sha256 } = version.artifact;
    const { session, batching, note, inline, loadMs, warmMs } = loaded;
    this.#options.log.info(
      { model: name, version: modelVersion, batching, note, inline, loadMs, warmMs },
      'version loaded',
    );
    return new ModelGeneration({
      modelName: name,
      modelVersion,
      sha256,
      signature: { ...signature, batching },
      platform: 'onnxruntime_onnx',
      session,
      metrics: this.#options.metrics.version(name, modelVersion),
    });
  }

  #retryLater(): void {
    clearTimeout(this.#retryTimer);
    const snapshot = this.#lastSnapshot;
    if (snapshot === undefined || this.#closed) return;
    this.#retryTimer = setTimeout(() => {
      void this.apply(this.#next ?? snapshot);
    }, retryDelayMs);
  }
}
