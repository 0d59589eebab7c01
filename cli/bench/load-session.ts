/**
 * Measures one point of load after the other on one server: warm-up, windows, and the server's own statistics around
 * them. Which points and what follows from them is for the caller to say.
 */
import type { InferCall } from '../../client/infer-call.ts';
import { connectionsMax, openLanes } from './load/lane-pool.ts';
import type { Arrivals } from './load/arrival-schedule.ts';
import { type LoadShape, runWindow } from './load/load-run.ts';
import { prepareRequests, type Protocol } from './load/prepared-requests.ts';
import type { Target } from './load/target.ts';
import { mergeWindows, throughput, type WindowResult } from './load/window-result.ts';
import type { LoadPoint, MeasuredPoint } from './measured-point.ts';
import { agreeingWindows, isStable } from './plan/stability.ts';
import type { ServerCounts } from './server-statistics.ts';
import { splitBetween } from './server-statistics.ts';

export interface SessionOptions {
  readonly target: Target;
  readonly protocol: Protocol;
  readonly calls: readonly InferCall[];
  /** Of an open loop, and the most of a closed one. */
  readonly connections: number;
  readonly arrivals: Arrivals;
  readonly seed: number;
  readonly warmUpSeconds: number;
  /** Of one window. */
  readonly seconds: number;
  /** Windows are repeated until the last ones agree to this share; undefined for one window. */
  readonly stabilityShare: number | undefined;
  /** Which percentile must settle, as a share. */
  readonly percentile: number;
  readonly signal: AbortSignal;
  /** Undefined where the server has none. */
  readonly counts: () => Promise<ServerCounts | undefined>;
  readonly progress: (point: LoadPoint, step: string) => void;
}

/** Windows of one point, however little they agree. */
export const windowsMax = 10;
/** Requests that have room on each WebSocket of an open loop. */
const openRoomPerSocket = 256;

/** Undefined when it was stopped before anything was measured. */
export async function measurePoint(
  options: SessionOptions,
  point: LoadPoint,
): Promise<MeasuredPoint | undefined> {
  const { target, protocol, calls, signal } = options;
  const requests = prepareRequests(target, { protocol, calls });
  const lanes = await openLanes(target, { requests, protocol, ...roomOf(options, point) });
  const shape = shapeOf(options, point);
  try {
    if (options.warmUpSeconds > 0) {
      options.progress(point, 'warming up');
      await runWindow(lanes, { shape, seconds: options.warmUpSeconds, signal });
    }
    const windows: WindowResult[] = [];
    const before = await options.counts();
    let settled = false;
    while (
      !signal.aborted &&
      windows.length < (options.stabilityShare === undefined ? 1 : windowsMax) &&
      !settled
    ) {
      options.progress(point, `window ${windows.length + 1}`);
      windows.push(await runWindow(lanes, { shape, seconds: options.seconds, signal }));
      settled = options.stabilityShare !== undefined && isSettled(windows, options, options.stabilityShare);
    }
    if (windows.length === 0) return undefined;
    const all = mergeWindows(windows);
    return {
      point,
      // What came before the load settled is warm-up.
      result: mergeWindows(options.stabilityShare === undefined ? windows : windows.slice(-agreeingWindows)),
      windows: windows.length,
      isStable: options.stabilityShare === undefined ? undefined : settled,
      server: splitBetween(before, await options.counts(), all.latency.meanUs),
    };
  } finally {
    for (const lane of lanes) lane.close();
  }
}

function isSettled(windows: readonly WindowResult[], { percentile }: SessionOptions, share: number): boolean {
  const numbers = windows.map((window) => ({
    perSecond: throughput(window),
    percentileUs: window.latency.percentileUs(percentile),
  }));
  return isStable(numbers, share);
}

function shapeOf({ arrivals, seed }: SessionOptions, { kind, value }: LoadPoint): LoadShape {
  return kind === 'closed' ? { kind, concurrency: value } : { kind, ratePerSecond: value, arrivals, seed };
}

function roomOf(
  { protocol, connections }: SessionOptions,
  { kind, value }: LoadPoint,
): { readonly room: number; readonly connections: number } {
  if (kind === 'closed')
    return { room: value, connections: protocol === 'stream' ? connections : connectionsMax };
  return { room: protocol === 'stream' ? connections * openRoomPerSocket : connections, connections };
}
