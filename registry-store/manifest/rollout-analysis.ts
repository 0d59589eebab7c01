/**
 * What a rollout is judged by, signed with it: what follows when the candidate does worse in one respect, and how sure a
 * node must be. What is left out is as docs/rollouts/judge.md says.
 */
import { FieldReader } from './field-reader.ts';

/** `error`: failed requests; `nan`: numbers that are not finite; `latency`: slow runs; `prediction`: what is predicted. */
export const gateMetrics = ['error', 'nan', 'latency', 'prediction'] as const;
export type GateMetric = (typeof gateMetrics)[number];

/** `rollback`: back to the live version; `pause`: no further step; `hold`: the same, unless it gets better; `ignore`. */
export const gateActions = ['rollback', 'pause', 'hold', 'ignore'] as const;
export type GateAction = (typeof gateActions)[number];

export interface Gate {
  readonly action: GateAction;
  /** How often it may happen to the candidate, in percent of how often it happens to the live version; 100 to 10000. */
  readonly toleratedPercent?: number;
}

/** What becomes of a step that shows neither that the candidate is worse nor that it is not. */
export const inconclusiveActions = ['hold', 'promote', 'rollback'] as const;
export type InconclusiveAction = (typeof inconclusiveActions)[number];

export interface RolloutAnalysis {
  readonly gates?: Readonly<Partial<Record<GateMetric, Gate>>>;
  /** Callers that the candidate must have met before it is compared and a step may end, 0 to a million. */
  readonly callersMin?: number;
  /** After so long in a step without a decision, `onInconclusive` decides, milliseconds, 1 second to 30 days. */
  readonly inconclusiveAfterMs?: number;
  readonly onInconclusive?: InconclusiveAction;
}

export const toleratedPercentMin = 100;
export const toleratedPercentMax = 10_000;
const callersMax = 1_000_000;
const waitMsMin = 1000;
const waitMsMax: number = 30 * 24 * 60 * 60 * 1000;

/** Problems go to the reader. */
export function readAnalysis(reader: FieldReader): RolloutAnalysis {
  return {
    ...(reader.has('gates') && { gates: readGates(reader.record('gates')) }),
    ...(reader.has('callers_min') && {
      callersMin: reader.integer('callers_min', { min: 0, max: callersMax }),
    }),
    ...(reader.has('inconclusive_after_ms') && {
      inconclusiveAfterMs: reader.integer('inconclusive_after_ms', { min: waitMsMin, max: waitMsMax }),
    }),
    ...(reader.has('on_inconclusive') && {
      onInconclusive: reader.oneOf('on_inconclusive', inconclusiveActions),
    }),
  };
}

function readGates(reader: FieldReader): Partial<Record<GateMetric, Gate>> {
  const gates: Partial<Record<GateMetric, Gate>> = {};
  for (const metric of gateMetrics) {
    if (!reader.has(metric)) continue;
    const gate = reader.record(metric);
    gates[metric] = {
      action: gate.oneOf('action', gateActions),
      ...(gate.has('tolerated_percent') && {
        toleratedPercent: gate.integer('tolerated_percent', {
          min: toleratedPercentMin,
          max: toleratedPercentMax,
        }),
      }),
    };
  }
  return gates;
}

/** Metrics in one order, so that the same analysis is always spelled alike. */
export function analysisJson(analysis: RolloutAnalysis): Readonly<Record<string, unknown>> {
  const { gates, callersMin, inconclusiveAfterMs, onInconclusive } = analysis;
  return {
    ...(gates !== undefined && { gates: Object.fromEntries(gateMetrics.flatMap(spelledGate)) }),
    ...(callersMin !== undefined && { callers_min: callersMin }),
    ...(inconclusiveAfterMs !== undefined && { inconclusive_after_ms: inconclusiveAfterMs }),
    ...(onInconclusive !== undefined && { on_inconclusive: onInconclusive }),
  };

  function spelledGate(metric: GateMetric): readonly (readonly [string, unknown])[] {
    const gate = gates?.[metric];
    if (gate === undefined) return [];
    const { action, toleratedPercent } = gate;
    return [
      [metric, { action, ...(toleratedPercent !== undefined && { tolerated_percent: toleratedPercent }) }],
    ];
  }
}

/** Why this cannot be signed; undefined when it can. It is read as nodes will read it. */
export function analysisProblem(analysis: RolloutAnalysis): string | undefined {
  const reader = new FieldReader(analysisJson(analysis), 'what the rollout is judged by');
  readAnalysis(reader);
  return reader.problem;
}

export function isSameAnalysis(one: RolloutAnalysis = {}, other: RolloutAnalysis = {}): boolean {
  return JSON.stringify(analysisJson(one)) === JSON.stringify(analysisJson(other));
}
