/**
 * What a node says of the rollouts it carries out and of what it decided about them by itself, in the words of
 * `GET /v2/rollouts`.
 */
import type { JudgeEvidence } from '../rollout/judge.ts';

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
  /** `promoted`: no rollout any more, but a promoted version that is watched. */
  readonly strategy: 'canary' | 'blue_green' | 'rolling' | 'shadow' | 'promoted';
  readonly stable: string;
  readonly candidate: string;
  readonly phase: RolloutPhase;
  readonly traffic_percent: number;
  /** Of a plan in steps; of a preview and a watch that are judged, which are one step. */
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
    /** Only where it was asked for, and only of versions that are compared at one time: what lets others judge the same. */
    readonly evidence?: JudgeEvidence;
  };
}

/** As most want it: the counts behind a verdict are many and for programs. */
export function withoutEvidence(report: RolloutReport): RolloutReport {
  return {
    ...report,
    rollouts: report.rollouts.map((state) => {
      if (state.judge?.evidence === undefined) return state;
      const { verdict, reason, candidate, stable, candidate_callers } = state.judge;
      return { ...state, judge: { verdict, reason, candidate, stable, candidate_callers } };
    }),
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
    | 'held'
    | 'awaits_approval'
    | 'approved'
    | 'resumed'
    | 'rolled_back'
    | 'flipped'
    | 'completed'
    | 'promoted'
    | 'kept'
    | 'superseded'
    | 'ended';
  /** In words, with the numbers. */
  readonly reason: string;
}
