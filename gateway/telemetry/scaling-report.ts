/**
 * What a node says of the load of its versions and of the replicas it gives them: all of it in the words of `GET /v2/scaling`,
 * and what was decided in the body of the readiness answer.
 */

export interface ScalingReport {
  /** How many nodes like this one its work is for, not rounded; over all nodes it adds up. */
  readonly desired_nodes: number;
  /** Work in hand over what all threads should have in hand. */
  readonly utilization: number;
  readonly versions: readonly VersionScaling[];
}

export interface VersionScaling {
  readonly model: string;
  readonly version: string;
  /** Threads that hold it. */
  readonly replicas: number;
  /** Rows that run or wait. */
  readonly rows: number;
  /** Rows that one replica should have in hand; absent before the first request. */
  readonly concurrency_target?: number;
  /** Work in hand over what its replicas should have in hand. */
  readonly utilization: number;
  /** Where its load decides how many there are. */
  readonly scaled?: {
    readonly desired_replicas: number;
    readonly min_replicas: number;
    readonly max_replicas: number;
    /** The last decision, for people. */
    readonly decision: string;
  };
}

/** More than this many are not listed where readiness is told: the answer stays small. */
const listedMax = 50;

/** Of versions that their load moves; nothing where there are none. */
export function scalingHealth({ versions }: ScalingReport): object {
  const scaling = versions.flatMap(({ model, version, replicas, scaled }) =>
    scaled === undefined
      ? []
      : [
          {
            ...{ model, version, replicas },
            ...{ min_replicas: scaled.min_replicas, max_replicas: scaled.max_replicas },
            decision: scaled.decision,
          },
        ],
  );
  return scaling.length === 0 ? {} : { scaling: scaling.slice(0, listedMax) };
}
