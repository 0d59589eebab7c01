/**
 * Replicas that follow the load: looks at queues and threads, asks the scaler of each version, and has the pool carry out
 * what it says. It also brings a version to size before traffic moves to it, and tells what it saw and decided.
 *
 * Invariants: one change at a time for each version; a version that no deployment scales is looked at and left alone.
 */
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { VersionLoad } from '../../dispatch/version-load.ts';
import { desiredNodes } from '../../scale/node-demand.ts';
import type { ReplicaBounds } from '../../scale/replica-scaler.ts';
import { type ScalingOptions, scalingDefaults } from '../../scale/scaling-options.ts';
import { replicasForShare } from '../../scale/shift-demand.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { MetricsPage, Sample } from '../../telemetry/metrics-page.ts';
import type { ScalingReport } from '../../telemetry/scaling-report.ts';
import { type Carriers, trafficShares } from './traffic-shares.ts';
import { rounded, WatchedVersion, type WatchedVersionOptions } from './watched-version.ts';

export interface LiveScalingOptions {
  readonly pool: WatchedVersionOptions['pool'];
  readonly loads: () => Iterable<VersionLoad>;
  /** Puts a version on so many threads, as far as they can load it; `isAwaited` when work waits for them. */
  readonly place: (generation: ModelGeneration, replicas: number, isAwaited: boolean) => Promise<void>;
  readonly metrics: Pick<MetricsPage, 'gauge' | 'counter'>;
  readonly log: Logger;
  readonly nowMs: () => number;
  /** What is left out is as `scalingDefaults`. */
  readonly scaling?: Partial<ScalingOptions> | undefined;
}

/** A replica that could not be loaded is not tried again for so long, milliseconds. */
const growAgainMs = 60_000;

interface Move {
  readonly replicas: number;
  readonly because: string;
  /** More work is there than the replicas can do, rather than about to come. */
  readonly isAwaited: boolean;
}

/** Of one model, as its traffic was divided before, and the share that a version is about to have. */
interface Shift {
  readonly share: number;
  readonly before: ReadonlyMap<ModelGeneration, number>;
}

export class LiveScaling {
  readonly #options: LiveScalingOptions;
  readonly #scaling: ScalingOptions;
  readonly #watched = new Map<ModelGeneration, WatchedVersion>();
  /** By model, as it was last divided. */
  readonly #shares = new Map<string, ReadonlyMap<ModelGeneration, number>>();
  readonly #timer: NodeJS.Timeout;
  #lastTickMs: number;

  constructor(options: LiveScalingOptions) {
    this.#options = options;
    this.#scaling = { ...scalingDefaults, ...options.scaling };
    this.#lastTickMs = options.nowMs();
    this.#timer = setInterval(() => {
      this.#look();
      const nowMs = options.nowMs();
      if (nowMs - this.#lastTickMs >= this.#scaling.tickMs) this.#tick(nowMs);
    }, this.#scaling.sampleMs);
    this.#timer.unref();
    this.#addMetrics();
  }

  /** From now on its load is looked at; between `bounds`, where there are any, that moves its replicas. */
  watch(generation: ModelGeneration, bounds: () => ReplicaBounds | undefined): void {
    let watched = this.#watched.get(generation);
    if (watched === undefined) {
      const { pool, nowMs } = this.#options;
      watched = new WatchedVersion({ generation, pool, scaling: this.#scaling, nowMs: nowMs() });
      this.#watched.set(generation, watched);
    }
    watched.bounds = bounds;
  }

  forget(generation: ModelGeneration): void {
    this.#watched.delete(generation);
    const model = generation.modelName;
    if (this.#shares.get(model)?.has(generation) === true) this.#shares.delete(model);
  }

  /**
   * Traffic is about to be divided so: resolves once every version that gets more of it has the replicas for that, as far
   * as they can be had. Who gets less keeps what it has for `bakeMs`, and as long as the rollout goes on.
   */
  async prepare(carriers: Carriers): Promise<void> {
    const untilMs = this.#options.nowMs() + this.#scaling.bakeMs;
    const model = carriers.live.modelName;
    const shares = trafficShares(carriers);
    const before = this.#shares.get(model);
    this.#shares.set(model, shares);
    const growing: WatchedVersion[] = [];
    for (const watched of this.#versionsOf(model)) {
      const { generation } = watched;
      watched.inRollout = carriers.split !== undefined && shares.has(generation);
      const [had, gets] = [before?.get(generation) ?? 0, shares.get(generation) ?? 0];
      if (gets < had) watched.keptUntilMs = untilMs;
      if (gets > had) growing.push(watched);
    }
    if (before === undefined) return;
    for (const watched of growing) {
      await this.#bringToSize(watched, { share: shares.get(watched.generation) ?? 0, before });
    }
  }

  report(): ScalingReport {
    const work = this.#sum(({ threadWork }) => threadWork);
    return {
      desired_nodes: rounded(this.#desiredNodes),
      utilization: rounded(work / this.#options.pool.lanes.length),
      versions: [...this.#watched.values()].map((watched) => watched.report()),
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  #versionsOf(model: string): readonly WatchedVersion[] {
    return [...this.#watched.values()].filter(({ generation }) => generation.modelName === model);
  }

  #look(): void {
    const loads = new Map([...this.#options.loads()].map((load) => [load.generation, load]));
    for (const watched of this.#watched.values()) watched.look(loads.get(watched.generation));
  }

  #tick(nowMs: number): void {
    const seconds = (nowMs - this.#lastTickMs) / 1000;
    this.#lastTickMs = nowMs;
    for (const watched of this.#watched.values()) {
      watched.decide(nowMs, seconds);
      const { decision, isMoving, placed } = watched;
      if (decision === undefined || isMoving || decision.replicas === placed) continue;
      void this.#move(watched, { ...decision, isAwaited: true });
    }
  }

  async #bringToSize(watched: WatchedVersion, { share, before }: Shift): Promise<void> {
    const { generation, scaler } = watched;
    const bounds = watched.bounds();
    if (bounds === undefined || watched.isInline) return;
    const nowMs = this.#options.nowMs();
    const demand = this.#versionsOf(generation.modelName).reduce(
      (sum, other) => sum + other.scaler.demand(nowMs),
      0,
    );
    const [carrier] = [...before].sort(([, one], [, other]) => other - one)[0] ?? [];
    const placed = carrier === undefined ? 0 : this.#options.pool.replicasOf(carrier.session);
    const wanted = replicasForShare({ share, demand, placed });
    const replicas = Math.min(Math.max(wanted, bounds.min), bounds.max);
    scaler.expect(replicas, nowMs);
    if (replicas <= watched.placed) return;
    const because = `${Math.round(share * 100)} % of the traffic is about to come`;
    await this.#move(watched, { replicas, because, isAwaited: false });
  }

  async #move(watched: WatchedVersion, { replicas, because, isAwaited }: Move): Promise<void> {
    const { place, log } = this.#options;
    const { generation, changes, placed: before } = watched;
    const { modelName: model, modelVersion: version } = generation;
    watched.isMoving = true;
    try {
      await place(generation, replicas, isAwaited);
    } catch (error) {
      log.error({ err: error, model, version, replicas }, 'replicas could not be changed');
    }
    watched.isMoving = false;
    if (!this.#watched.has(generation)) return;
    const { placed } = watched;
    if (placed < replicas) watched.growNotBeforeMs = this.#options.nowMs() + growAgainMs;
    if (placed === before) return;
    changes[placed > before ? 'up' : 'down'] += 1;
    log.info({ model, version, before, replicas: placed, because }, 'replicas follow the load');
  }

  #sum(of: (watched: WatchedVersion) => number): number {
    return [...this.#watched.values()].reduce((sum, watched) => sum + of(watched), 0);
  }

  get #desiredNodes(): number {
    const work = {
      threadWork: this.#sum(({ threadWork }) => threadWork),
      threads: this.#options.pool.lanes.length,
      inlineShare: this.#sum(({ inlineShare }) => inlineShare),
    };
    return desiredNodes(work, this.#scaling.utilizationTarget);
  }

  #addMetrics(): void {
    const { metrics } = this.#options;
    metrics.gauge({
      name: 'tidegate_desired_replicas',
      help: 'Threads that the load of a version asks for, within the bounds of its deployment and this node.',
      read: () => this.#samples(({ decision }) => decision?.replicas),
    });
    metrics.gauge({
      name: 'tidegate_concurrency_target',
      help: 'Rows that one replica should have in hand, running and waiting.',
      read: () => this.#samples(({ targetRows }) => targetRows),
      acrossProcesses: 'average',
    });
    metrics.gauge({
      name: 'tidegate_utilization',
      help: 'Rows in hand over those that the replicas of a version should have in hand; 0.7 is planned for.',
      read: () => this.#samples(({ utilization }) => utilization),
      acrossProcesses: 'average',
    });
    metrics.gauge({
      name: 'tidegate_desired_nodes',
      help: 'Nodes like this one that its work is for, not rounded; over all nodes it adds up.',
      read: () => [{ labels: {}, value: this.#desiredNodes }],
      acrossProcesses: 'average',
    });
    metrics.counter({
      name: 'tidegate_replica_changes_total',
      help: 'Changes of the number of replicas that the load, or traffic about to move, led to.',
      read: () => [
        ...this.#samples(({ changes }) => changes.up, { direction: 'up' }),
        ...this.#samples(({ changes }) => changes.down, { direction: 'down' }),
      ],
    });
  }

  /** Several generations of one version may be there while one replaces the other: the newer one counts. */
  #samples(
    read: (watched: WatchedVersion) => number | undefined,
    labels: Readonly<Record<string, string>> = {},
  ): readonly Sample[] {
    const samples = new Map<string, Sample>();
    for (const watched of this.#watched.values()) {
      const { modelName: model, modelVersion: version } = watched.generation;
      const value = read(watched);
      if (value !== undefined)
        samples.set(`${model}\0${version}`, { labels: { model, version, ...labels }, value });
    }
    return [...samples.values()];
  }
}
