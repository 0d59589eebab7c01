/**
 * The counts of a judge as JSON: what a node tells of itself in `GET /v2/rollouts?evidence=true`, keeps over a restart and
 * says to the other processes of its machine. Counts only: nothing in them names a caller. Whoever reads them looks at each field.
 */
import type { ArmCounts } from './arm-evidence.ts';
import { type MetricName, metricNames } from './judge-options.ts';
import type { JudgeSnapshot } from './judge-snapshot.ts';
import type { ArmTotals, ChannelCounts, MetricSnapshot } from './metric-counts.ts';

/** Of the candidate and of the stable version. */
type ArmPair = readonly [candidate: number, stable: number];
/** The same while the candidate had one share, 0 to 1. */
type ShareCounts = readonly [share: number, candidate: number, stable: number];

export interface JudgeCounts {
  readonly step_started_ms: number | null;
  readonly requests: ArmPair;
  readonly crashed: ArmPair;
  readonly candidate_callers: number;
  readonly callers: readonly ShareCounts[];
  readonly failures_in_a_row: number;
  readonly crashes_in_a_row: number;
  readonly stable_meanwhile: { readonly requests: number; readonly failed: number };
  readonly metrics: Readonly<Record<MetricName, MetricJson>>;
  readonly latency_cuts_ms: readonly number[] | null;
  readonly has_latency: boolean;
}

interface MetricJson {
  readonly observed: ArmPair;
  readonly channels: readonly {
    readonly events: readonly ShareCounts[];
    readonly samples: readonly ShareCounts[];
    readonly total: ArmPair;
  }[];
}

/** Longer lists are none of a judge. */
const listMax = 1000;

export function countsJson(snapshot: JudgeSnapshot): JudgeCounts {
  const { metrics } = snapshot;
  return {
    step_started_ms: snapshot.stepStartedMs,
    requests: pairOf(snapshot.requests),
    crashed: pairOf(snapshot.crashed),
    candidate_callers: snapshot.candidateKeys,
    callers: snapshot.keys.map(shareCountsOf),
    failures_in_a_row: snapshot.failuresInARow,
    crashes_in_a_row: snapshot.crashesInARow,
    stable_meanwhile: { ...snapshot.stableMeanwhile },
    metrics: {
      error: metricJson(metrics.error),
      nan: metricJson(metrics.nan),
      latency: metricJson(metrics.latency),
      prediction: metricJson(metrics.prediction),
    },
    latency_cuts_ms: snapshot.latencyCutsMs,
    has_latency: snapshot.hasLatency,
  };
}

/** Undefined for anything else than the counts of a judge. */
export function readCounts(value: unknown): JudgeSnapshot | undefined {
  if (!isRecord(value)) return undefined;
  const { step_started_ms: stepStartedMs, candidate_callers: candidateKeys } = value;
  const { failures_in_a_row: failuresInARow, crashes_in_a_row: crashesInARow } = value;
  const { stable_meanwhile: meanwhile, latency_cuts_ms: latencyCutsMs, has_latency: hasLatency } = value;
  const [requests, crashed] = [readPair(value['requests']), readPair(value['crashed'])];
  const keys = readList(value['callers'], readShareCounts);
  const metrics = readMetrics(value['metrics']);
  if (requests === undefined || crashed === undefined || keys === undefined || metrics === undefined) {
    return undefined;
  }
  if (!isRecord(meanwhile) || typeof hasLatency !== 'boolean') return undefined;
  const { requests: stableRequests, failed: stableFailed } = meanwhile;
  if (!isCount(candidateKeys) || !isCount(failuresInARow) || !isCount(crashesInARow)) return undefined;
  if (!isCount(stableRequests) || !isCount(stableFailed)) return undefined;
  if (stepStartedMs !== null && !isNumber(stepStartedMs)) return undefined;
  const cuts = latencyCutsMs === null ? null : readList(latencyCutsMs, readNumber);
  if (cuts === undefined) return undefined;
  return {
    stepStartedMs,
    requests,
    crashed,
    candidateKeys,
    keys,
    failuresInARow,
    crashesInARow,
    stableMeanwhile: { requests: stableRequests, failed: stableFailed },
    metrics,
    latencyCutsMs: cuts,
    hasLatency,
  };
}

function pairOf({ candidate, stable }: ArmTotals): ArmPair {
  return [candidate, stable];
}

function shareCountsOf({ share, candidate, stable }: ArmCounts): ShareCounts {
  return [share, candidate, stable];
}

function metricJson({ observed, channels }: MetricSnapshot): MetricJson {
  return {
    observed: pairOf(observed),
    channels: channels.map(({ events, samples, total }) => ({
      events: events.map(shareCountsOf),
      samples: samples.map(shareCountsOf),
      total: pairOf(total),
    })),
  };
}

function readMetrics(value: unknown): JudgeSnapshot['metrics'] | undefined {
  if (!isRecord(value)) return undefined;
  const [error, nan, latency, prediction] = metricNames.map((name) => readMetric(value[name]));
  if (error === undefined || nan === undefined || latency === undefined || prediction === undefined) {
    return undefined;
  }
  return { error, nan, latency, prediction };
}

function readMetric(value: unknown): MetricSnapshot | undefined {
  if (!isRecord(value)) return undefined;
  const observed = readPair(value['observed']);
  const channels = readList(value['channels'], readChannel);
  return observed === undefined || channels === undefined ? undefined : { observed, channels };
}

function readChannel(value: unknown): ChannelCounts | undefined {
  if (!isRecord(value)) return undefined;
  const events = readList(value['events'], readShareCounts);
  const samples = readList(value['samples'], readShareCounts);
  const total = readPair(value['total']);
  if (events === undefined || samples === undefined || total === undefined) return undefined;
  return { events, samples, total };
}

function readPair(value: unknown): ArmTotals | undefined {
  const [candidate, stable, ...rest] = readList(value, (item) => (isCount(item) ? item : undefined)) ?? [];
  if (candidate === undefined || stable === undefined || rest.length > 0) return undefined;
  return { candidate, stable };
}

function readShareCounts(value: unknown): ArmCounts | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [share, candidate, stable] = value as readonly unknown[];
  if (!isNumber(share) || share < 0 || share > 1 || !isCount(candidate) || !isCount(stable)) return undefined;
  return { share, candidate, stable };
}

function readNumber(value: unknown): number | undefined {
  return isNumber(value) ? value : undefined;
}

/** Undefined if any of them is. */
function readList<Item>(
  value: unknown,
  read: (item: unknown) => Item | undefined,
): readonly Item[] | undefined {
  if (!Array.isArray(value) || value.length > listMax) return undefined;
  const items = value.flatMap((item: unknown) => read(item) ?? []);
  return items.length === value.length ? items : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}
