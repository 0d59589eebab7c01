/** Reports as a gateway would give them, for what reads and draws them. */
import type { RolloutArm, RolloutDecision, RolloutReport, RolloutState } from '../../../gateway/main.ts';

export const startMs: number = Date.parse('2026-11-23T20:30:00.000Z');

export function armOf(requests: number, failed: number, others: Partial<RolloutArm> = {}): RolloutArm {
  return { requests, failed, failure_rate: [0, 1], not_finite: 0, crashed: 0, ...others };
}

export const unplanned: RolloutState = {
  model: 'iris',
  rollout_id: 'iris:1',
  strategy: 'canary',
  stable: '1.0.0',
  candidate: '2.0.0',
  phase: 'running',
  traffic_percent: 5,
  judge: {
    verdict: 'healthy',
    reason:
      'candidate failed 3 of 1204 requests, stable failed 61 of 23110 requests; nothing shows that it is worse',
    candidate: armOf(1204, 3),
    stable: armOf(23_110, 61),
    candidate_callers: 210,
  },
};

/** The second of four, 5 %, begun at `startMs`. */
export const secondStep: NonNullable<RolloutState['step']> = {
  number: 2,
  percents: [1, 5, 25, 100],
  since: new Date(startMs).toISOString(),
};

/** In steps of ten minutes. */
export const canary: RolloutState = { ...unplanned, step: { ...secondStep, hold_ms: 600_000 } };

export const shadow: RolloutState = {
  model: 'tulip',
  rollout_id: 'tulip:1',
  strategy: 'shadow',
  stable: '1',
  candidate: '2',
  phase: 'running',
  traffic_percent: 20,
};

export function decided(
  decision: RolloutDecision['decision'],
  reason: string,
  { model, rollout_id }: RolloutState = canary,
): RolloutDecision {
  return { at: new Date(startMs).toISOString(), model, rollout_id, decision, reason };
}

export function reportOf(
  rollouts: readonly RolloutState[],
  decisions: readonly RolloutDecision[] = [],
): RolloutReport {
  return { rollouts, decisions };
}
