/**
 * The numbers by which replicas follow the load. They are those of Knative's pod autoscaler where it has them, because they
 * have been in use for years: windows of 60 s and 6 s, a burst at twice what is there, 70 % of the target.
 */

export interface ScalingOptions {
  /** How often it is decided, milliseconds. */
  readonly tickMs: number;
  /** How often queues and threads are looked at in between; each decision is about the mean of those looks. Milliseconds. */
  readonly sampleMs: number;
  /** Over this long the load is averaged in calm times, milliseconds. */
  readonly stableWindowMs: number;
  /** Over this long to see a burst; after it, nothing is taken away for `stableWindowMs`. Milliseconds. */
  readonly burstWindowMs: number;
  /** A burst is work for this many times the replicas that are there. */
  readonly burstFactor: number;
  /** Part of its target that a replica is planned to have in hand; the rest is for what comes at once. 0 to 1. */
  readonly utilizationTarget: number;
  /** For so long fewer must have been enough before any is taken away, milliseconds. */
  readonly shrinkDelayMs: number;
  /** Most of the replicas that are taken away in one tick, as a part of them. */
  readonly shrinkPartMax: number;
  /** What another replica must add to the throughput of one for more to be tried, as a part of it. */
  readonly gainMin: number;
  /** For so long a measured throughput counts; then another replica is tried again. Milliseconds. */
  readonly gainRememberedMs: number;
  /** For so long a version whose share of the traffic fell keeps its replicas, so that going back is safe. Milliseconds. */
  readonly bakeMs: number;
}

export const scalingDefaults: ScalingOptions = {
  tickMs: 2000,
  sampleMs: 100,
  stableWindowMs: 60_000,
  burstWindowMs: 6000,
  burstFactor: 2,
  utilizationTarget: 0.7,
  shrinkDelayMs: 30_000,
  shrinkPartMax: 0.5,
  gainMin: 0.1,
  gainRememberedMs: 10 * 60_000,
  bakeMs: 10 * 60_000,
};
