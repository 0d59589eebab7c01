/** What is measured in one round, and in which order. Pure. */
import type { PeerName } from './peers/peer.ts';

export type Generator = 'wrk' | 'autocannon' | 'stream';

/** Runs that are compared with each other: the same load from the same generator on several peers. */
export interface Series {
  /** As `--only` and the result file know it. */
  readonly id: string;
  readonly generator: Generator;
  /** HTTP connections or WebSockets. */
  readonly connections: number;
  /** Requests in flight on each. */
  readonly inflight: number;
  readonly peers: readonly PeerName[];
}

export interface PlanOptions {
  readonly wrkInstalled: boolean;
  /** A few series that still touch every generator and every peer. */
  readonly quick: boolean;
  /** Keeps what has one of these in its id; empty keeps everything. */
  readonly only: readonly string[];
}

export interface Plan {
  readonly series: readonly Series[];
  /** Batch sizes of the bare onnxruntime-web loop; empty leaves it out. */
  readonly loopBatches: readonly number[];
}

const loopId = 'loop';

export function planRound({ wrkInstalled, quick, only }: PlanOptions): Plan {
  const wanted = ({ id }: { readonly id: string }): boolean =>
    only.length === 0 || only.some((part) => id.includes(part));
  const loopBatches = quick ? [1, 32] : [1, 8, 32, 128];
  return {
    series: allSeries(wrkInstalled, quick).filter(wanted),
    loopBatches: wanted({ id: loopId }) ? loopBatches : [],
  };
}

/** One request at a time comes from wrk where there is one: its own share of the latency is the smaller. */
function allSeries(wrkInstalled: boolean, quick: boolean): readonly Series[] {
  const capacity = quick ? [256] : [64, 256];
  const wrk = wrkInstalled ? [1, ...capacity].map((count) => json('wrk', count)) : [];
  const autocannon = (wrkInstalled ? capacity : [1, ...capacity]).map((count) => json('autocannon', count));
  const streams = quick ? [stream(4, 64)] : [stream(1, 256), stream(4, 64)];
  return [...wrk, ...autocannon, ...streams];
}

function json(generator: 'wrk' | 'autocannon', connections: number): Series {
  const peers = ['bare-uws', 'gateway', 'fastify-ort'] as const;
  return { id: jsonSeriesId(generator, connections), generator, connections, inflight: 1, peers };
}

function stream(sockets: number, inflight: number): Series {
  const peers = ['bare-uws', 'gateway'] as const;
  return {
    id: `stream-${sockets}x${inflight}`,
    generator: 'stream',
    connections: sockets,
    inflight,
    peers,
  };
}

export function jsonSeriesId(generator: 'wrk' | 'autocannon', connections: number): string {
  return `json-${connections}-${generator}`;
}

/** The peers of a series in the order of this round: each round starts with another one. */
export function rotated<Item>(items: readonly Item[], round: number): readonly Item[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
