/**
 * On how many threads of this node the versions of a rolling are to be, at the step where the node stands: what is signed,
 * what is remembered and what is loaded, brought to the pure rules of rolling-replicas.ts.
 */
import type { Deployment } from '../../../registry-store/main.ts';
import type { DeploymentResources } from '../../../registry-store/manifest/deployment.ts';
import type { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import {
  nextReplicas,
  readyBps,
  replicasAfter,
  replicasAt,
  replicasBeside,
  type Rolling,
} from '../../rollout/rolling-replicas.ts';
import { replicaDemand } from '../replicas/replica-demand.ts';
import { stepBps } from './rollout-course.ts';
import { rolloutIdOf } from './rollout-id.ts';
import type { RolloutMemory } from './rollout-memory.ts';

export interface RollingThreadsOptions {
  readonly pool: Pick<WorkerPool, 'lanes' | 'replicasOf'>;
  readonly memory: RolloutMemory;
  /** On how many threads a version may be for the memory that all models share; Infinity for any. */
  readonly affordable: (generation: ModelGeneration) => number;
}

/** What is in memory of the two; a version that is not is left out. */
export interface RollingVersions {
  readonly live?: ModelGeneration | undefined;
  readonly candidate?: ModelGeneration | undefined;
}

export class RollingThreads {
  readonly #options: RollingThreadsOptions;
  /** Models whose versions have replicas within limits. */
  readonly #limited = new Set<string>();

  constructor(options: RollingThreadsOptions) {
    this.#options = options;
  }

  /** Of the candidate, whatever its rollout is; `none` where its limits leave it no thread. */
  ofCandidate(deployment: Deployment, versions: RollingVersions): DeploymentResources | 'none' | undefined {
    const { resources, strategy, plan } = deployment;
    if (strategy !== 'rolling') return resources;
    const replicas = this.#wanted(deployment, versions);
    if (replicas < 1) return 'none';
    return { ...(plan?.limits === undefined ? resources : unscaled(resources)), replicas };
  }

  /** Of the live version: it makes room only for a candidate that is to come, which `comes` tells. */
  ofLive(deployment: Deployment, versions: RollingVersions, comes: boolean): DeploymentResources | undefined {
    const { model, resources, strategy, plan } = deployment;
    if (strategy !== 'rolling' || plan?.limits === undefined) {
      this.#limited.delete(model);
      return resources;
    }
    this.#limited.add(model);
    const rolling = this.#rolling(deployment, versions);
    const beside = Math.max(
      comes ? this.#wanted(deployment, versions) : 0,
      this.#replicasOf(versions.candidate),
    );
    return { ...unscaled(resources), replicas: replicasBeside(beside, rolling) };
  }

  /** Whether its live version takes back what a candidate leaves. */
  isLimited(model: string): boolean {
    return this.#limited.has(model);
  }

  /** Whether some of its threads are to be given back. */
  isOnMore(generation: ModelGeneration, resources: DeploymentResources | undefined): boolean {
    return this.#replicasOf(generation) > (resources?.replicas ?? Infinity);
  }

  /** Of a version that is only kept for a rollback: it must not take the room that is made. */
  ofSpare(deployment: Deployment): DeploymentResources | undefined {
    const { resources, plan } = deployment;
    return plan?.limits === undefined ? resources : { ...unscaled(resources), replicas: 1 };
  }

  /** The share of the step at which the node stands, as far as replicas of the candidate are ready. */
  readyBps(deployment: Deployment, versions: Required<RollingVersions>): number {
    const bps = stepBps(deployment, this.#options.memory);
    if (deployment.strategy !== 'rolling') return bps;
    return readyBps(bps, {
      ...this.#rolling(deployment, versions),
      ready: this.#replicasOf(versions.candidate),
    });
  }

  #wanted(deployment: Deployment, versions: RollingVersions): number {
    const { memory } = this.#options;
    const rolling = this.#rolling(deployment, versions);
    const { limits } = rolling;
    if (limits !== undefined && memory.has(rolloutIdOf(deployment))) return replicasAfter(rolling);
    const wanted = replicasAt(stepBps(deployment, memory), rolling);
    return nextReplicas({ wanted, loaded: this.#replicasOf(versions.candidate) }, limits);
  }

  #rolling({ resources, plan }: Deployment, versions: RollingVersions): Rolling {
    const limits = plan?.limits;
    // Without limits the old version is on as many as before.
    if (limits === undefined) return { replicas: Math.max(1, this.#replicasOf(versions.live)) };
    const { placed } = replicaDemand(unscaled(resources), {
      threads: this.#options.pool.lanes.length,
      bytesPerReplica: versions.live?.bytesPerReplica ?? 1,
      affordable: this.#affordable(versions),
    });
    return { replicas: placed, limits };
  }

  /** Replicas of the live version that there would be memory for if the candidate had none. */
  #affordable({ live, candidate }: RollingVersions): number {
    if (live === undefined) return Infinity;
    const taken = candidate === undefined ? 0 : candidate.bytesPerReplica * this.#replicasOf(candidate);
    return this.#options.affordable(live) + Math.floor(taken / Math.max(1, live.bytesPerReplica));
  }

  #replicasOf(generation: ModelGeneration | undefined): number {
    return generation === undefined ? 0 : this.#options.pool.replicasOf(generation.session);
  }
}

/** While replicas are given up, the load does not move them. */
function unscaled(resources: DeploymentResources | undefined): DeploymentResources {
  const { autoScaling, ...fixed } = resources ?? {};
  const replicas = fixed.replicas ?? autoScaling?.minReplicas;
  return { ...fixed, ...(replicas !== undefined && { replicas }) };
}
