/**
 * What a node says of the rollouts it carries out and of what it decided about them by itself, in the words of
 * `GET /v2/rollouts`.
 */

export type RolloutPhase =
  'running' | 'paused' | 'awaiting_approval' | 'bake' | 'preview' | 'complete' | 'rolled_back';

export interface RolloutReport {
  readonly rollouts: readonly RolloutState[];
  /** The last of them, newest first. */
  readonly decisions: readonly RolloutDecision[];
}

export interface RolloutState {
  readonly model: string;
  readonly rollout_id: string;
  readonly strategy: 'canary' | 'blue_green' | 'rolling' | 'shadow';
  readonly stable: string;
  readonly candidate: string;
  readonly phase: RolloutPhase;
  readonly traffic_percent: number;
  /** Only of a plan in steps. */
  readonly step?: {
    /** From 1. */
    readonly number: number;
    readonly percents: readonly number[];
    readonly since: string;
    readonly hold_ms?: number;
  };
  /** What the judge says now; absent where nothing is judged. */
  readonly judge?: {
    readonly verdict: 'rollback' | 'pause' | 'hold' | 'promote' | 'healthy';
    readonly reason: string;
    readonly candidate: RolloutArm;
    readonly stable: RolloutArm;
    readonly candidate_callers: number;
  };
}

export interface RolloutArm {
  readonly requests: number;
  readonly failed: number;
  /** Between these its rate of failures is, at 95 %, however often one looks. */
  readonly failure_rate: readonly [number, number];
  readonly not_finite: number;
  readonly crashed: number;
}

export interface RolloutDecision {
  readonly at: string;
  readonly model: string;
  readonly rollout_id: string;
  readonly decision:
    | 'began'
    | 'next_step'
    | 'paused'
    | 'resumed'
    | 'rolled_back'
    | 'completed'
    | 'promoted'
    | 'superseded'
    | 'ended';
  /** In words, with the numbers. */
  readonly reason: string;
}
