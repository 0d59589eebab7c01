/**
 * What every load generator reports about one measured run. Generators are children; the report crosses as one line
 * of JSON.
 */
import { numberField } from '../json-field.ts';
import type { LatencySummary } from '../../cli/bench/load/latency-histogram.ts';

export interface LoadReport extends LatencySummary {
  /** Good answers within the measured time. */
  readonly answers: number;
  /** Answers that were errors, answers that never came, broken connections. Anything but 0 spoils the run. */
  readonly failures: number;
  readonly seconds: number;
}

export function answersPerSecond({ answers, seconds }: LoadReport): number {
  return seconds === 0 ? 0 : answers / seconds;
}

/** Throws when a generator printed something else. */
export function parseLoadReport(line: string): LoadReport {
  const value: unknown = JSON.parse(line);
  return {
    answers: numberField(value, 'answers'),
    failures: numberField(value, 'failures'),
    seconds: numberField(value, 'seconds'),
    p50Us: numberField(value, 'p50Us'),
    p99Us: numberField(value, 'p99Us'),
    p999Us: numberField(value, 'p999Us'),
  };
}
