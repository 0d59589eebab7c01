/**
 * What one window of load came to, and whether its numbers are about the server: a generator that was late, or had no
 * time left, measured itself. Pure.
 */
import { LatencyHistogram } from './latency-histogram.ts';

/** `refused`: the server said that it has no room (429, 503 or a code that stands for them). */
export type Outcome = 'good' | 'refused' | 'failed';

export interface WindowResult {
  readonly kind: 'closed' | 'open';
  /** Measured length. */
  readonly seconds: number;
  /** Requests whose time to be sent lay in the window. What became of them is in the counts below. */
  readonly offered: number;
  readonly good: number;
  readonly refused: number;
  /** Wrong answers, errors, lost connections, no answer in time. */
  readonly failed: number;
  /** Not sent at all, because as many requests waited for a connection as may wait. */
  readonly unsent: number;
  /** Good answers that came within the window, whenever they were asked for: what throughput is. */
  readonly goodInWindow: number;
  /** From the time at which a request was to be sent to the answer. */
  readonly latency: LatencyHistogram;
  readonly refusalLatency: LatencyHistogram;
  /** How late the generator itself was: empty in a closed loop, which has no times to keep. */
  readonly lateness: LatencyHistogram;
  /** Share of the time in which the event loop of the generator was not idle, 0 to 1. An open loop keeps it awake. */
  readonly busyShare: number;
  /** What failed and was refused, with counts. */
  readonly reasons: ReadonlyMap<string, number>;
}

export function throughput({ goodInWindow, seconds }: WindowResult): number {
  return seconds === 0 ? 0 : goodInWindow / seconds;
}

/** Windows of the same load as one. Throws for an empty list. */
export function mergeWindows(windows: readonly WindowResult[]): WindowResult {
  const [first] = windows;
  if (first === undefined) throw new RangeError('no windows');
  const sum = (of: (window: WindowResult) => number): number =>
    windows.reduce((total, window) => total + of(window), 0);
  const joined = (of: (window: WindowResult) => LatencyHistogram): LatencyHistogram => {
    const histogram = new LatencyHistogram();
    for (const window of windows) histogram.add(of(window));
    return histogram;
  };
  const reasons = new Map<string, number>();
  for (const [reason, count] of windows.flatMap((window) => [...window.reasons])) {
    reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  return {
    kind: first.kind,
    seconds: sum(({ seconds }) => seconds),
    offered: sum(({ offered }) => offered),
    good: sum(({ good }) => good),
    refused: sum(({ refused }) => refused),
    failed: sum(({ failed }) => failed),
    unsent: sum(({ unsent }) => unsent),
    goodInWindow: sum(({ goodInWindow }) => goodInWindow),
    latency: joined(({ latency }) => latency),
    refusalLatency: joined(({ refusalLatency }) => refusalLatency),
    lateness: joined(({ lateness }) => lateness),
    busyShare: sum(({ busyShare }) => busyShare) / windows.length,
    reasons,
  };
}

/** The generator may be late by this at the 99th percentile, or by a tenth of the latency it reports if that is more. */
const latenessP99UsMax = 1000;
const latenessShareMax = 0.1;
/** Of a closed loop: above it the next request waits for the generator and not for the server. */
const busyShareMax = 0.95;

/** Why the numbers are those of the generator; undefined when they are not. */
export function generatorProblem(window: WindowResult): string | undefined {
  const { kind, lateness, latency, busyShare } = window;
  if (kind === 'closed') {
    if (busyShare <= busyShareMax) return undefined;
    return `the load generator was busy ${percent(busyShare)} of the time: it measured itself`;
  }
  const lateUs = lateness.percentileUs(0.99);
  const allowedUs = Math.max(latenessP99UsMax, latenessShareMax * latency.percentileUs(0.99));
  if (lateUs <= allowedUs) return undefined;
  return `the load generator sent too late, ${milliseconds(lateUs)} at the 99th percentile (allowed: ${milliseconds(allowedUs)})`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function milliseconds(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}
