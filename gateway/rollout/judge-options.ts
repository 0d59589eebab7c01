/**
 * What a judge compares, what follows from each comparison, and how sure it must be. The defaults are for a candidate
 * that may fail or be slow a little more often than the live version, and may predict something else.
 */
import type { KeyHistory } from './key-history.ts';
import type { UnitOptions } from './unit-ledger.ts';

export const metricNames = ['error', 'nan', 'latency', 'prediction'] as const;

/**
 * `error`: requests that failed, crashes among them. `nan`: answers with numbers that are not finite. `latency`: service
 * times above the cut points of the stable version. `prediction`: how often each class, or each tenth of the scores, is
 * predicted.
 */
export type MetricName = (typeof metricNames)[number];

/** What follows when the candidate is worse: it goes back, the rollout waits for people, or it does not grow. */
export type Role = 'guardrail' | 'signal' | 'health';

export interface MetricOptions {
  /** `none` is counted and has no consequence. */
  readonly role: Role | 'none';
  /** Part of the error that is spent on this metric, against the others of its role. */
  readonly weight: number;
  /** Times as often as with the stable version that are tolerated. */
  readonly tolerated: number;
}

export interface JudgeOptions extends UnitOptions {
  readonly metrics: Readonly<Record<MetricName, MetricOptions>>;
  /** Chance that a candidate which is within what is tolerated is ever rolled back; the same for a pause. */
  readonly falseAlarmMax: number;
  /** Chance that a candidate which is worse by `promoteTolerated` is promoted. */
  readonly falsePromoteMax: number;
  /** Chance that the division of the keys is called wrong although it is right. */
  readonly falseMismatchMax: number;
  /** Smallest difference of the rates, of requests, that matters, however large their ratio. */
  readonly rateDifferenceMin: number;
  /** Callers that the candidate must have met before anything is compared; 0 compares at once. */
  readonly candidateKeysMin: number;
  /** So many callers in a row to whom the candidate failed end it, whatever the statistics say. */
  readonly failuresInARowMax: number;
  /** The same for callers with whom it took its thread down, which everybody else has to wait for. */
  readonly crashesInARowMax: number;
  /** Times as often as with the stable version that must be excluded before the candidate is promoted. */
  readonly promoteTolerated: number;
  readonly promoteKeysMin: number;
  readonly promoteRequestsMin: number;
  /** After so long in a step without a decision, `onInconclusive` decides, given what promotion needs at least. */
  readonly inconclusiveAfterMs: number;
  readonly onInconclusive: 'hold' | 'promote' | 'rollback';
  /** Answers of the stable version that set the cut points of latencies and scores. */
  readonly warmUpRequests: number;
  /** How callers fared before the rollout. Only read. */
  readonly history: KeyHistory | undefined;
}

export interface JudgeSettings extends Partial<Omit<JudgeOptions, 'metrics'>> {
  readonly metrics?: Readonly<Partial<Record<MetricName, Partial<MetricOptions>>>>;
  /** The candidate is the same model in another form: other predictions are a reason to go back. Default false. */
  readonly expectSamePredictions?: boolean;
}

const metricDefaults: JudgeOptions['metrics'] = {
  error: { role: 'guardrail', weight: 0.4, tolerated: 1.2 },
  nan: { role: 'guardrail', weight: 0.2, tolerated: 1.2 },
  latency: { role: 'guardrail', weight: 0.4, tolerated: 1.2 },
  prediction: { role: 'signal', weight: 0.25, tolerated: 1.2 },
};

const defaults: Omit<JudgeOptions, 'metrics'> = {
  unit: 'key-window',
  windowMs: 60_000,
  windowsPerKeyMax: 3,
  chronicShare: 0.1,
  falseAlarmMax: 0.01,
  falsePromoteMax: 0.05,
  falseMismatchMax: 0.001,
  rateDifferenceMin: 0.001,
  candidateKeysMin: 30,
  failuresInARowMax: 5,
  crashesInARowMax: 3,
  promoteTolerated: 1.5,
  promoteKeysMin: 50,
  promoteRequestsMin: 200,
  inconclusiveAfterMs: Infinity,
  onInconclusive: 'promote',
  warmUpRequests: 500,
  history: undefined,
};

/** The settings, and the defaults for all that they leave open. */
export function judgeOptions({
  metrics = {},
  expectSamePredictions = false,
  ...settings
}: JudgeSettings): JudgeOptions {
  const predictionRole = expectSamePredictions ? 'guardrail' : metricDefaults.prediction.role;
  return {
    ...defaults,
    ...settings,
    metrics: {
      error: { ...metricDefaults.error, ...metrics.error },
      nan: { ...metricDefaults.nan, ...metrics.nan },
      latency: { ...metricDefaults.latency, ...metrics.latency },
      prediction: { ...metricDefaults.prediction, role: predictionRole, ...metrics.prediction },
    },
  };
}
