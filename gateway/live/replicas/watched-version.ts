/**
 * One loaded version whose load is looked at: what was seen of it in the last tick, what its scaler made of that, and what
 * there is to tell. Carrying a decision out is the business of live-scaling.ts.
 */
import type { WorkerPool } from '../../../runtime/pool/worker-pool.ts';
import type { ModelGeneration } from '../../dispatch/model-generation.ts';
import type { VersionLoad } from '../../dispatch/version-load.ts';
import { LoadMeter, type Seen } from '../../scale/load-meter.ts';
import { type ReplicaBounds, ReplicaScaler, type ScalingDecision } from '../../scale/replica-scaler.ts';
import type { ScalingOptions } from '../../scale/scaling-options.ts';
import type { VersionScaling } from '../../telemetry/scaling-report.ts';

export interface WatchedVersionOptions {
  readonly generation: ModelGeneration;
  readonly pool: Pick<WorkerPool, 'lanes' | 'holds' | 'replicasOf' | 'inlineLane'>;
  readonly scaling: ScalingOptions;
  readonly nowMs: number;
}

/** Wide enough for anything; what it leads to is not carried out. */
const unscaled: ReplicaBounds = { min: 1, max: Infinity, because: '', busyShareMax: 1 };

export class WatchedVersion {
  readonly generation: ModelGeneration;
  readonly scaler: ReplicaScaler;
  /** Where its load decides, as its deployment and this node have it now; undefined where it does not. */
  bounds: () => ReplicaBounds | undefined = () => undefined;
  /** Rows that one replica should have in hand; undefined before the first request. */
  targetRows: number | undefined;
  decision: ScalingDecision | undefined;
  /** How often its replicas became more, and fewer. */
  readonly changes: { up: number; down: number } = { up: 0, down: 0 };
  isMoving = false;
  /** When another replica may be tried again after one that could not be loaded. */
  growNotBeforeMs: number = -Infinity;
  /** A rollout beside it goes on. */
  inRollout = false;
  keptUntilMs: number = -Infinity;
  readonly #pool: WatchedVersionOptions['pool'];
  readonly #meter = new LoadMeter();
  #seen: Seen = this.#meter.take();
  /** Replicas that what was answered keeps at work. */
  #busy = 0;
  #rowsBefore: number;
  #laneSecondsBefore: number;
  #inlineShare = 0;

  constructor({ generation, pool, scaling, nowMs }: WatchedVersionOptions) {
    this.generation = generation;
    this.scaler = new ReplicaScaler(scaling, nowMs);
    this.#pool = pool;
    // Another generation of the same version may have counted before.
    this.#rowsBefore = generation.metrics.batchRows.sum;
    this.#laneSecondsBefore = generation.metrics.laneSeconds;
  }

  get placed(): number {
    return this.#pool.replicasOf(this.generation.session);
  }

  /** Whether it runs on the event loop, where threads add nothing. */
  get isInline(): boolean {
    return this.#pool.inlineLane.holds(this.generation.session);
  }

  /** Replicas that it is work for: what it has in hand, or what was answered where that is more. */
  get threadWork(): number {
    return this.isInline ? 0 : Math.max(this.#seen.work, this.#busy);
  }

  /** Share of the event loop's time that it runs there. */
  get inlineShare(): number {
    return this.isInline ? this.#inlineShare : 0;
  }

  /** Work in hand over what its replicas should have in hand. */
  get utilization(): number {
    return this.isInline ? this.#inlineShare : this.#seen.work / Math.max(1, this.placed);
  }

  look({ rows = 0, work = 0, workMs = 0, targetRows = this.targetRows }: Partial<VersionLoad> = {}): void {
    const holding = this.#pool.lanes.filter((lane) => this.#pool.holds(lane, this.generation.session));
    const lanesBusy = holding.filter(({ state }) => state === 'busy').length;
    this.targetRows = targetRows;
    this.#meter.look({ rows, work, workMs, lanes: holding.length, lanesBusy });
  }

  /** What became of the looks since the last time, `seconds` ago. */
  decide(nowMs: number, seconds: number): void {
    const { batchRows, laneSeconds } = this.generation.metrics;
    const rowsPerSecond = (batchRows.sum - this.#rowsBefore) / seconds;
    this.#inlineShare = (laneSeconds - this.#laneSecondsBefore) / seconds;
    this.#rowsBefore = batchRows.sum;
    this.#laneSecondsBefore = laneSeconds;
    this.#seen = this.#meter.take();
    this.#busy = (rowsPerSecond * this.#seen.rowMs) / 1000;
    const bounds = this.bounds();
    const mayShrink = !this.inRollout && nowMs >= this.keptUntilMs;
    const { rowsGrown, rowMs } = this.#seen;
    const offered = ((rowsPerSecond + rowsGrown / seconds) * rowMs) / 1000;
    // What is not scaled is looked at all the same: its demand may move to another version.
    const decision = this.scaler.tick(
      {
        ...this.#seen,
        busy: this.#busy,
        offered,
        rowsPerSecond,
        placed: this.placed,
        bounds: this.#boundsNow(bounds ?? unscaled, nowMs),
        mayShrink,
      },
      nowMs,
    );
    this.decision = bounds === undefined ? undefined : decision;
  }

  report(): VersionScaling {
    const { generation, targetRows, decision, placed } = this;
    const bounds = this.bounds();
    return {
      model: generation.modelName,
      version: generation.modelVersion,
      replicas: placed,
      rows: rounded(this.#seen.rows),
      ...(targetRows !== undefined && { concurrency_target: rounded(targetRows) }),
      utilization: rounded(this.utilization),
      ...(bounds !== undefined && {
        scaled: {
          desired_replicas: decision?.replicas ?? placed,
          min_replicas: bounds.min,
          max_replicas: bounds.max,
          decision: decision?.because ?? 'not looked at for long enough',
        },
      }),
    };
  }

  #boundsNow(bounds: ReplicaBounds, nowMs: number): ReplicaBounds {
    if (this.isInline) {
      const because = 'it runs on the event loop, where threads add nothing';
      return { ...bounds, max: bounds.min, because };
    }
    const { placed } = this;
    if (nowMs >= this.growNotBeforeMs || placed >= bounds.max) return bounds;
    const because = 'another could not be loaded just now';
    return { ...bounds, min: Math.min(bounds.min, placed), max: placed, because };
  }
}

/** For people and scalers; thousandths are enough. */
export function rounded(number: number): number {
  return Math.round(number * 1000) / 1000;
}
