/** What the judge of a rollout says and counted, in the words of `GET /v2/rollouts`. */
import { bernoulliConfidence } from '../../rollout/bernoulli-confidence.ts';
import type { Verdict } from '../../rollout/judge-verdict.ts';
import type { JudgedTotals, JudgeEvidence } from '../../rollout/judge.ts';
import type { RolloutArm, RolloutState } from '../../telemetry/rollout-report.ts';

const failureRate = { errorMax: 0.05, trialsBest: 1000 };

export function judgeReport(
  { kind, reason }: Verdict,
  { requests, failed, notFinite, crashed, candidateKeys }: JudgedTotals,
  evidence?: JudgeEvidence,
): NonNullable<RolloutState['judge']> {
  const arm = (name: 'candidate' | 'stable'): RolloutArm => {
    const { lower, upper } = bernoulliConfidence(failed[name], requests[name], failureRate);
    return {
      requests: requests[name],
      failed: failed[name],
      failure_rate: [lower, upper],
      not_finite: notFinite[name],
      crashed: crashed[name],
    };
  };
  return {
    verdict: kind,
    reason,
    candidate: arm('candidate'),
    stable: arm('stable'),
    candidate_callers: candidateKeys,
    ...(evidence !== undefined && { evidence }),
  };
}
