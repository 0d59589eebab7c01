/**
 * On how many threads each loaded version is, as far as its deployment and this node agree, and which versions are not run
 * for now because they cost too many threads. The pool does both; here are the words and numbers for people.
 */
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import type { Quarantine } from '../../runtime/pool/fault-record.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsPage, Sample } from '../telemetry/metrics-page.ts';
import type { DeploymentProblem } from '../telemetry/store-report.ts';
import { modelQuarantined } from './failure-answers.ts';
import type { ModelGeneration } from './model-generation.ts';
import { replicaDemand, shortfallOf } from './replica-demand.ts';

export interface LiveReplicasOptions {
  readonly pool: Pick<WorkerPool, 'lanes' | 'replicasOf' | 'scale'>;
  readonly metrics: Pick<MetricsPage, 'gauge'>;
  readonly log: Logger;
}

interface Placed {
  readonly generation: ModelGeneration;
  /** Undefined for as many as there are. */
  asked: number | undefined;
  shortfall: DeploymentProblem | undefined;
}

export class LiveReplicas {
  readonly #options: LiveReplicasOptions;
  /** By session. */
  readonly #placed = new Map<number, Placed>();

  constructor(options: LiveReplicasOptions) {
    this.#options = options;
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
    const { pool, log } = this.#options;
    const { session, modelName: model, modelVersion: version, bytesPerReplica } = generation;
    const demand = replicaDemand(resources, { threads: pool.lanes.length, bytesPerReplica });
    if (pool.replicasOf(session) !== demand.placed) await pool.scale(session, demand.placed);
    const placed = pool.replicasOf(session);
    const shortfall = shortfallOf({ ...demand, placed });
    const before = this.#placed.get(session);
    this.#placed.set(session, { generation, asked: demand.asked, shortfall });
    if (shortfall !== undefined && shortfall.detail !== before?.shortfall?.detail) {
      log.warn(
        { model, version, asked: demand.asked, placed, detail: shortfall.detail },
        'fewer replicas than asked',
      );
    }
  }

  /** Why versions are on fewer threads than they should be, by model; those that are not are left out. */
  shortfallsOf(generations: readonly ModelGeneration[]): ReadonlyMap<string, DeploymentProblem> {
    const all = new Map<string, DeploymentProblem>();
    for (const { modelName, session } of generations) {
      const shortfall = this.#placed.get(session)?.shortfall;
      if (shortfall !== undefined) all.set(modelName, shortfall);
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

  forget({ session }: ModelGeneration): void {
    this.#placed.delete(session);
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
