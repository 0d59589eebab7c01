/**
 * What the gateway is to reach, and whether it did. A target is judged by the median over the rounds; how many rounds
 * reached it stands beside it. Pure.
 */
import type { SuiteResult } from '../measurement.ts';
import { jsonSeriesId } from '../plan.ts';
import { latencyRatios, throughputRatios } from './ratio.ts';
import { type Spread, spreadOf } from './spread.ts';

interface Target {
  readonly title: string;
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
  readonly ratios: (result: SuiteResult) => readonly number[];
}

export interface Verdict {
  readonly title: string;
  /** `open`: what it takes was not measured, or only with failures. */
  readonly outcome: 'met' | 'missed' | 'open';
  readonly ratio: Spread | undefined;
  readonly roundsMet: number;
  readonly rounds: number;
}

// Capacity is judged by wrk alone: autocannon is the slower end of the two and would measure itself.
const capacitySeries = jsonSeriesId('wrk', 256);
const singleSeries = [jsonSeriesId('wrk', 1), jsonSeriesId('autocannon', 1)];

const targets: readonly Target[] = [
  {
    title: 'JSON throughput, 256 connections (wrk): at least 0.55 of bare uWebSockets.js with a fixed answer',
    bound: { atLeast: 0.55 },
    ratios: (result) => throughputRatios(result, capacitySeries, 'bare-uws'),
  },
  {
    title: 'JSON throughput, 256 connections (wrk): at least 5 times Fastify + onnxruntime-web',
    bound: { atLeast: 5 },
    ratios: (result) => throughputRatios(result, capacitySeries, 'fastify-ort'),
  },
  {
    title: 'Median latency, one request at a time: at most 2 times (bare uWebSockets.js + bare session.run)',
    bound: { atMost: 2 },
    ratios: (result) =>
      singleSeries.map((series) => latencyRatios(result, series)).find((ratios) => ratios.length > 0) ?? [],
  },
];

export function judge(result: SuiteResult): readonly Verdict[] {
  return targets.map(({ title, bound, ratios }) => {
    const values = ratios(result);
    const reached = (value: number): boolean =>
      'atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost;
    const common = { title, roundsMet: values.filter(reached).length, rounds: values.length };
    if (values.length === 0) return { ...common, outcome: 'open', ratio: undefined };
    const ratio = spreadOf(values);
    return { ...common, outcome: reached(ratio.median) ? 'met' : 'missed', ratio };
  });
}
