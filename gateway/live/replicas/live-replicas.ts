/**
 * On how many threads each loaded version is, as far as its deployment and this node agree, and which versions are not run
 * for now because they cost too many threads. The pool does both; here are the words and numbers for people. Where the
 * load decides between two numbers, live-scaling.ts says which.
 */
import { availableParallelism } from 'node:os';
import type { DeploymentResources } from '../../../registry-store/manifest/deployment.ts';
import type { Quarantine } from '../../../runtime/pool/fault-record.ts';
import type { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import { modelQuarantined } from '../../dispatch/failure-answers.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MetricsPage, Sample } from '../../telemetry/metrics-page.ts';
import type { ScalingReport } from '../../telemetry/scaling-report.ts';
import type { DeploymentProblem } from '../../telemetry/store-report.ts';
import { LiveScaling, type LiveScalingOptions } from './live-scaling.ts';
import { overLimitOf, type ReplicaDemand, replicaDemand, shortfallOf } from './replica-demand.ts';
import type { Carriers } from './traffic-shares.ts';

export interface LiveReplicasOptions extends Pick<LiveScalingOptions, 'loads' | 'nowMs' | 'scaling'> {
  readonly pool: Pick<WorkerPool, 'engine' | 'lanes' | 'holds' | 'replicasOf' | 'inlineLane' | 'scale'>;
  readonly metrics: Pick<MetricsPage, 'gauge' | 'counter'>;
  readonly log: Logger;
  /** On how many threads a version may be for the memory that all models share; default any. */
  readonly affordable?: (generation: ModelGeneration) => number;
  /** Before so many bytes are loaded and after: what can go for them goes. Default nothing does. */
  readonly makeWay?: (bytes: number) => Promise<void>;
  /** Cores of this node; default those that the process may use. */
  readonly cores?: number;
}

interface Placed {
  readonly generation: ModelGeneration;
  readonly resources: DeploymentResources | undefined;
  /** Undefined for as many as there are. */
  readonly asked: number | undefined;
  readonly shortfall: DeploymentProblem | undefined;
  /** Replicas that it got back when memory came free, and gives up again before anything has to leave for another version. */
  readonly lent: number;
}

export class LiveReplicas {
  readonly #options: LiveReplicasOptions;
  readonly #scaling: LiveScaling;
  /** By session. */
  readonly #placed = new Map<number, Placed>();

  constructor(options: LiveReplicasOptions) {
    this.#options = options;
    this.#scaling = new LiveScaling({
      ...options,
      place: (generation, replicas, isAwaited) => this.#place(generation, replicas, isAwaited),
    });
    options.metrics.gauge({
      name: 'tidegate_replicas',
      help: 'Threads that hold a version (placed), and how many its deployment asks for (asked).',
      read: () => this.#replicaSamples(),
    });
    options.metrics.gauge({
      name: 'tidegate_quarantined',
      help: '1 for a version that is not run for now because it cost too many threads.',
      read: () => this.#quarantineSamples(),
    });
  }

  /** Puts a loaded version on as many threads as its deployment asks for, and says so when they are fewer. */
  async fit(generation: ModelGeneration, resources: DeploymentResources | undefined): Promise<void> {
    const { session } = generation;
    const before = this.#placed.get(session);
    const demand = this.#demandOf(generation, resources);
    const { asked } = demand;
    this.#placed.set(session, {
      generation,
      resources,
      asked,
      shortfall: before?.shortfall,
      lent: before?.lent ?? 0,
    });
    this.#tellOfLimit(generation, before?.resources, resources);
    await this.#place(generation, this.#wanted(generation, { resources, demand, before }));
    // It may have gone meanwhile.
    if (!this.#placed.has(session)) return;
    this.#scaling.watch(generation, () => this.#demandOf(generation, resources).scaled);
  }

  /** The same once more, since there may be room by now. */
  async refit(generation: ModelGeneration): Promise<void> {
    const known = this.#placed.get(generation.session);
    if (known !== undefined) await this.fit(generation, known.resources);
  }

  /** Whether it is on fewer threads than its deployment asks for because of the memory that all models share. */
  lacksMemory({ session }: ModelGeneration): boolean {
    return this.#placed.get(session)?.shortfall?.reason === 'MODEL_MEMORY';
  }

  /**
   * Memory came free: one version that was cut for want of it gets a replica more. False when none could be given one. Where
   * the load decides, the bounds are wider now, and it sees to the rest.
   */
  async growBack(): Promise<boolean> {
    const { pool, log } = this.#options;
    for (const { generation, resources } of this.#placed.values()) {
      const { session, modelName: model, modelVersion: version } = generation;
      const { placed, scaled } = this.#demandOf(generation, resources);
      const before = pool.replicasOf(session);
      if (scaled !== undefined || placed <= before || generation.refusal !== undefined) continue;
      await this.#place(generation, before + 1).catch((error: unknown) => {
        log.error({ err: error, model, version }, 'replicas could not be changed');
      });
      const known = this.#placed.get(session);
      if (known === undefined || pool.replicasOf(session) <= before) continue;
      this.#placed.set(session, { ...known, lent: known.lent + 1 });
      log.info({ model, version, before, replicas: before + 1 }, 'replicas follow the memory');
      return true;
    }
    return false;
  }

  /** Memory that versions would give up again, bytes. */
  get lentBytes(): number {
    return [...this.#placed.values()].reduce(
      (sum, placed) => sum + this.#lentOf(placed) * placed.generation.bytesPerReplica,
      0,
    );
  }

  /** Another version needs so much memory: what was lent is taken back, as far as it takes. */
  async giveBack(bytes: number): Promise<void> {
    let missing = bytes;
    for (const [session, placed] of [...this.#placed].reverse()) {
      const { generation } = placed;
      const taken = Math.min(
        this.#lentOf(placed),
        Math.ceil(missing / Math.max(1, generation.bytesPerReplica)),
      );
      if (taken <= 0) continue;
      missing -= taken * generation.bytesPerReplica;
      const replicas = this.#options.pool.replicasOf(session) - taken;
      await this.#place(generation, replicas);
      const known = this.#placed.get(session);
      if (known === undefined) continue;
      this.#placed.set(session, { ...known, lent: Math.max(0, known.lent - taken) });
      const { modelName: model, modelVersion: version } = generation;
      this.#options.log.info({ model, version, replicas }, 'replicas follow the memory');
    }
  }

  /** Before traffic moves: every version that gets more of it gets the replicas for that. */
  prepare(carriers: Carriers): Promise<void> {
    return this.#scaling.prepare(carriers);
  }

  get scaling(): ScalingReport {
    return this.#scaling.report();
  }

  close(): void {
    this.#scaling.close();
  }

  /** Why versions take more than they may or are on fewer threads than they should be, by model; others are left out. */
  shortfallsOf(generations: readonly ModelGeneration[]): ReadonlyMap<string, DeploymentProblem> {
    const all = new Map<string, DeploymentProblem>();
    for (const generation of generations) {
      const { resources, shortfall } = this.#placed.get(generation.session) ?? {};
      const problem = overLimitOf(resources, generation) ?? shortfall;
      if (problem !== undefined) all.set(generation.modelName, problem);
    }
    return all;
  }

  /** The version of the session is not run for now. Undefined when it is one that nobody can call. */
  quarantine({ session, losses, lengthMs }: Quarantine): ModelGeneration | undefined {
    const generation = this.#placed.get(session)?.generation;
    if (generation === undefined) return undefined;
    generation.refusal = modelQuarantined(lengthMs);
    const { modelName: model, modelVersion: version } = generation;
    this.#options.log.error(
      { model, version, threadsLost: losses, seconds: lengthMs / 1000 },
      'version quarantined, it cost too many threads',
    );
    return generation;
  }

  /** It is run again. */
  release(session: number): ModelGeneration | undefined {
    const generation = this.#placed.get(session)?.generation;
    if (generation === undefined) return undefined;
    generation.refusal = undefined;
    const { modelName: model, modelVersion: version } = generation;
    this.#options.log.warn({ model, version }, 'version is run again after its quarantine');
    return generation;
  }

  forget(generation: ModelGeneration): void {
    this.#placed.delete(generation.session);
    this.#scaling.forget(generation);
  }

  /** One stays, whatever was signed since. */
  #lentOf({ generation, lent }: Placed): number {
    return Math.min(lent, Math.max(0, this.#options.pool.replicasOf(generation.session) - 1));
  }

  #demandOf(generation: ModelGeneration, resources: DeploymentResources | undefined): ReplicaDemand {
    const { pool, affordable, cores = availableParallelism() } = this.#options;
    return replicaDemand(resources, {
      threads: pool.lanes.length,
      bytesPerReplica: generation.bytesPerReplica,
      cores,
      intraOpThreads: pool.engine.intraOpThreads,
      affordable: affordable?.(generation),
    });
  }

  /** Where the load decides, what it decided so far stays, unless another number to begin with is signed. */
  #wanted(
    { session }: ModelGeneration,
    now: {
      readonly resources: DeploymentResources | undefined;
      readonly demand: ReplicaDemand;
      readonly before: Placed | undefined;
    },
  ): number {
    const { resources, demand, before } = now;
    const { scaled, placed } = demand;
    const begin = resources?.replicas;
    const isAnew = before === undefined || (begin !== undefined && begin !== before.resources?.replicas);
    if (scaled === undefined || isAnew) return placed;
    return Math.min(Math.max(this.#options.pool.replicasOf(session), scaled.min), scaled.max);
  }

  #tellOfLimit(
    generation: ModelGeneration,
    before: DeploymentResources | undefined,
    now: DeploymentResources | undefined,
  ): void {
    const detail = overLimitOf(now, generation)?.detail;
    if (detail === undefined || detail === overLimitOf(before, generation)?.detail) return;
    const { modelName: model, modelVersion: version } = generation;
    this.#options.log.warn({ model, version, detail }, 'version is over its memory_limit');
  }

  async #place(generation: ModelGeneration, replicas: number, isAwaited = false): Promise<void> {
    const { pool, log, makeWay } = this.#options;
    const { session, modelName: model, modelVersion: version } = generation;
    const more = replicas - pool.replicasOf(session);
    if (more > 0) await makeWay?.(more * generation.bytesPerReplica);
    if (more !== 0) await pool.scale(session, replicas, isAwaited);
    if (more > 0) await makeWay?.(0);
    const known = this.#placed.get(session);
    if (known === undefined) return;
    const placed = pool.replicasOf(session);
    const shortfall = shortfallOf({ ...this.#demandOf(generation, known.resources), placed });
    this.#placed.set(session, { ...known, shortfall });
    if (shortfall === undefined || shortfall.detail === known.shortfall?.detail) return;
    const { asked } = known;
    log.warn({ model, version, asked, placed, detail: shortfall.detail }, 'fewer replicas than asked');
  }

  *#replicaSamples(): Generator<Sample> {
    for (const [session, { generation, asked }] of this.#placed) {
      const { modelName: model, modelVersion: version } = generation;
      const placed = this.#options.pool.replicasOf(session);
      yield { labels: { model, version, state: 'placed' }, value: placed };
      if (asked !== undefined) yield { labels: { model, version, state: 'asked' }, value: asked };
    }
  }

  *#quarantineSamples(): Generator<Sample> {
    for (const { generation } of this.#placed.values()) {
      if (generation.refusal === undefined) continue;
      const { modelName: model, modelVersion: version } = generation;
      yield { labels: { model, version }, value: 1 };
    }
  }
}
