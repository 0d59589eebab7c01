/** What a node says of its rollouts, as JSON Schema: the types of gateway/telemetry/rollout-report.ts in other words. */
import { count, list, object, ref, type Schema, text } from './schemas.ts';

const percent: Schema = { type: 'number', minimum: 0, maximum: 100 };
const rate: Schema = { type: 'number', minimum: 0, maximum: 1 };
const moment: Schema = { type: 'string', format: 'date-time' };

const phases = ['running', 'paused', 'awaiting_approval', 'bake', 'preview', 'complete', 'rolled_back'];
const decisions = [
  ...['began', 'next_step', 'paused', 'held', 'resumed', 'awaits_approval', 'approved'],
  ...['rolled_back', 'flipped', 'completed', 'promoted', 'kept', 'superseded', 'ended'],
];

const step = object(
  {
    number: { type: 'integer', minimum: 1, description: 'Of `percents`, from 1.' },
    percents: list(percent),
    since: moment,
    hold_ms: { ...count, description: 'Absent for a step that waits for approval.' },
  },
  ['hold_ms'],
);

const judge = object(
  {
    verdict: { enum: ['rollback', 'pause', 'hold', 'promote', 'healthy'] },
    reason: text,
    candidate: ref('RolloutArm'),
    stable: ref('RolloutArm'),
    candidate_callers: count,
    evidence: {
      ...object({ counts: { type: 'object' }, terms: { type: 'object' } }),
      description: 'With ?evidence=true, of a canary or a rolling: what adds up over nodes. Names no caller.',
    },
  },
  ['evidence'],
);

export const rolloutSchemas: Readonly<Record<string, Schema>> = {
  RolloutReport: object({
    rollouts: list(ref('RolloutState')),
    decisions: { ...list(ref('RolloutDecision')), description: 'The last of them, newest first.' },
  }),
  RolloutState: object(
    {
      model: text,
      rollout_id: text,
      strategy: { enum: ['canary', 'blue_green', 'rolling', 'shadow', 'promoted'] },
      stable: text,
      candidate: text,
      phase: { enum: phases },
      traffic_percent: percent,
      step: {
        ...step,
        description: 'Of a plan in steps; of a preview and a watch that are judged, which are one step.',
      },
      judge: { ...judge, description: 'Absent where nothing is judged.' },
    },
    ['step', 'judge'],
  ),
  RolloutArm: object({
    requests: count,
    failed: count,
    failure_rate: {
      ...list(rate),
      minItems: 2,
      maxItems: 2,
      description: 'Between these the rate of failures is, at 95 %, however often one looks.',
    },
    not_finite: count,
    crashed: count,
  }),
  RolloutDecision: object({
    at: moment,
    model: text,
    rollout_id: text,
    decision: { enum: decisions },
    reason: { ...text, description: 'In words, with the numbers.' },
  }),
};
