/** What was signed about the judgement of a rollout, as the judge takes it. */
import {
  type Gate,
  type RolloutAnalysis,
  gateMetrics,
} from '../../registry-store/manifest/rollout-analysis.ts';
import type { JudgeSettings, MetricName, MetricOptions, Role } from './judge-options.ts';

const roles: Readonly<Record<Gate['action'], Role | 'none'>> = {
  rollback: 'guardrail',
  pause: 'signal',
  hold: 'health',
  ignore: 'none',
};

export function judgeSettings(analysis: RolloutAnalysis | undefined): JudgeSettings {
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
    ...(callersMin !== undefined && { candidateKeysMin: callersMin }),
    ...(inconclusiveAfterMs !== undefined && { inconclusiveAfterMs }),
    ...(onInconclusive !== undefined && { onInconclusive }),
  };
}
