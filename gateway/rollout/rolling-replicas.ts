/**
 * A rolling in replicas: on how many threads each of the two versions is at a share, and which share the new one may have
 * where it is on so many. Without limits the old version keeps all of its own until the new one is promoted: going back must
 * find it as it was. With limits it gives them up on the way, all but one, so that going back never waits for a load.
 *
 *     replicas 4, surge 1, unavailable 1     old  4  3  1     new  0  2  4     ready while they load  3  3
 */
import type { ReplicaLimits } from '../../registry-store/manifest/rollout-plan.ts';

const allBps = 10_000;

export interface Rolling {
  /** Of the old version before the rollout, on this node. */
  readonly replicas: number;
  readonly limits?: ReplicaLimits | undefined;
}

/** Of the new version at the share of a step. 0 where the limits leave it no room on this node. */
export function replicasAt(trafficBps: number, { replicas, limits }: Rolling): number {
  const wanted = Math.max(1, Math.ceil((trafficBps * replicas) / allBps));
  return limits === undefined ? wanted : Math.min(wanted, replicas + limits.surge - 1);
}

/** Of the new version on the way to `wanted`, where it is on `loaded` now: no more come at once than may be missing meanwhile. */
export function nextReplicas(
  { wanted, loaded }: { readonly wanted: number; readonly loaded: number },
  limits: ReplicaLimits | undefined,
): number {
  // Where none takes traffic yet, none is missing.
  if (limits === undefined || loaded === 0) return wanted;
  return Math.min(wanted, loaded + limits.surge + limits.unavailable);
}

/** Of the new version after the node went back from it: callers may still name it where there is room beside the old one. */
export function replicasAfter({ limits }: Pick<Rolling, 'limits'>): number {
  return Math.min(1, limits?.surge ?? 1);
}

/** Of the old version beside so many of the new one. At least 1. */
export function replicasBeside(newReplicas: number, { replicas, limits }: Rolling): number {
  if (limits === undefined) return replicas;
  return Math.max(1, Math.min(replicas, replicas + limits.surge - newReplicas));
}

/** The share of the step, or less where fewer replicas are ready than it needs. */
export function readyBps(
  trafficBps: number,
  { ready, ...rolling }: Rolling & { readonly ready: number },
): number {
  // Shares of thirds are rounded down when they are signed: what the step needs is ready, and it is whole.
  if (ready >= replicasAt(trafficBps, rolling)) return trafficBps;
  return Math.floor((allBps * ready) / Math.max(1, rolling.replicas));
}
