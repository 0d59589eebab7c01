/**
 * By what a judge judges, as JSON: beside its counts it lets somebody else judge the same counts, or those of several nodes,
 * in the same way. What no rollout can sign is not in it and has its default.
 */
import { type JudgeOptions, type JudgeSettings, metricNames, type MetricName } from './judge-options.ts';

const roles = ['guardrail', 'signal', 'health', 'none'] as const;
const outcomes = ['hold', 'promote', 'rollback'] as const;

export interface JudgeTerms {
  readonly metrics: Readonly<Record<MetricName, MetricTerms>>;
  readonly false_alarm_max: number;
  readonly candidate_callers_min: number;
  /** Null for never. */
  readonly inconclusive_after_ms: number | null;
  readonly on_inconclusive: (typeof outcomes)[number];
}

interface MetricTerms {
  readonly role: (typeof roles)[number];
  readonly weight: number;
  readonly tolerated: number;
}

export function termsJson({
  metrics,
  falseAlarmMax,
  candidateKeysMin,
  inconclusiveAfterMs,
  onInconclusive,
}: JudgeOptions): JudgeTerms {
  return {
    metrics: { ...metrics },
    false_alarm_max: falseAlarmMax,
    candidate_callers_min: candidateKeysMin,
    inconclusive_after_ms: Number.isFinite(inconclusiveAfterMs) ? inconclusiveAfterMs : null,
    on_inconclusive: onInconclusive,
  };
}

/** Undefined for anything else than the terms of a judge. */
export function readTerms(value: unknown): JudgeSettings | undefined {
  if (!isRecord(value) || !isRecord(value['metrics'])) return undefined;
  const { false_alarm_max: falseAlarmMax, candidate_callers_min: candidateKeysMin } = value;
  const { inconclusive_after_ms: afterMs, on_inconclusive: what } = value;
  const onInconclusive = outcomes.find((outcome) => outcome === what);
  const isChance = isNumber(falseAlarmMax) && falseAlarmMax > 0 && falseAlarmMax < 1;
  if (!isChance || !isNumber(candidateKeysMin) || onInconclusive === undefined) return undefined;
  if (afterMs !== null && !isNumber(afterMs)) return undefined;
  const metrics: Partial<Record<MetricName, MetricTerms>> = {};
  for (const name of metricNames) {
    const terms = readMetricTerms(value['metrics'][name]);
    if (terms === undefined) return undefined;
    metrics[name] = terms;
  }
  return {
    metrics,
    falseAlarmMax,
    candidateKeysMin,
    onInconclusive,
    ...(afterMs !== null && { inconclusiveAfterMs: afterMs }),
  };
}

function readMetricTerms(value: unknown): MetricTerms | undefined {
  if (!isRecord(value)) return undefined;
  const { weight, tolerated } = value;
  const role = roles.find((each) => each === value['role']);
  if (role === undefined || !isNumber(weight) || !isNumber(tolerated)) return undefined;
  return weight > 0 && tolerated >= 1 ? { role, weight, tolerated } : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
