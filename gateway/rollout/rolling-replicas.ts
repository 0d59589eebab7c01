/**
 * A rolling in replicas: on how many threads the new version is at a share, and which share it may have where it is on so
 * many. The old version keeps all of its own until the new one is promoted: going back must find it as it was.
 */

const allBps = 10_000;

/** `replicas` of the old version; `trafficBps` of the step that is to come. At least 1. */
export function replicasAt(trafficBps: number, replicas: number): number {
  return Math.max(1, Math.ceil((trafficBps * replicas) / allBps));
}

/** The share of the step, or less where fewer replicas are ready than it needs. */
export function readyBps(
  trafficBps: number,
  { ready, replicas }: { readonly ready: number; readonly replicas: number },
): number {
  // Shares of thirds are rounded down when they are signed: what the step needs is ready, and it is whole.
  if (ready >= replicasAt(trafficBps, replicas)) return trafficBps;
  return Math.floor((allBps * ready) / Math.max(1, replicas));
}
