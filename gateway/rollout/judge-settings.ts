/** What was signed about the judgement of a rollout, as the judge takes it. */
import {
  type Gate,
  type RolloutAnalysis,
  gateMetrics,
} from '../../registry-store/manifest/rollout-analysis.ts';
import {
  judgeOptions,
  type JudgeSettings,
  type MetricName,
  type MetricOptions,
  type Role,
} from './judge-options.ts';

const roles: Readonly<Record<Gate['action'], Role | 'none'>> = {
  rollback: 'guardrail',
  pause: 'signal',
  hold: 'health',
  ignore: 'none',
};

/**
 * `comparisons` candidates are judged at the same time: each gets an equal part of the error (Bonferroni), so that the chance
 * to drop any of them wrongly stays what it is for one, however they depend on each other.
 */
export function judgeSettings(analysis: RolloutAnalysis | undefined, comparisons = 1): JudgeSettings {
  const { gates = {}, callersMin, inconclusiveAfterMs, onInconclusive } = analysis ?? {};
  const metrics: Partial<Record<MetricName, Partial<MetricOptions>>> = {};
  for (const metric of gateMetrics) {
    const gate = gates[metric];
    if (gate === undefined) continue;
    const { action, toleratedPercent } = gate;
    metrics[metric] = {
      role: roles[action],
      ...(toleratedPercent !== undefined && { tolerated: toleratedPercent / 100 }),
    };
  }
  return {
    metrics,
    ...(comparisons > 1 && { falseAlarmMax: judgeOptions({}).falseAlarmMax / comparisons }),
    ...(callersMin !== undefined && { candidateKeysMin: callersMin }),
    ...(inconclusiveAfterMs !== undefined && { inconclusiveAfterMs }),
    ...(onInconclusive !== undefined && { onInconclusive }),
  };
}
