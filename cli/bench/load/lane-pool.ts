/** Opens and closes the lanes of a run: so many connections that its requests have room. */
import { HttpLane } from './http-lane.ts';
import type { Lane, RequestCycle } from './lane.ts';
import type { Protocol } from './prepared-requests.ts';
import { StreamLane } from './stream-lane.ts';
import type { Target } from './target.ts';

/** Requests that a gateway takes on one WebSocket by default; limit `connectionInflightMax`. */
export const streamRoomMax = 1024;
/** Of one run: what one process may have open is mostly 1,024. */
export const connectionsMax = 1000;

export interface LaneOptions {
  readonly requests: RequestCycle;
  /** Requests that must have room at a time. */
  readonly room: number;
  /** HTTP connections or WebSockets; each HTTP connection has room for one request. */
  readonly connections: number;
  readonly protocol: Protocol;
}

/** Rejects when a WebSocket is not taken; HTTP connections are opened with their first request. */
export async function openLanes(target: Target, options: LaneOptions): Promise<readonly Lane[]> {
  const { requests, room, connections, protocol } = options;
  if (protocol !== 'stream') {
    return Array.from({ length: Math.min(room, connections) }, () => new HttpLane(target, requests));
  }
  const sockets = Math.min(connections, room);
  const share = Math.min(streamRoomMax, Math.ceil(room / sockets));
  const opened = await Promise.allSettled(
    Array.from({ length: sockets }, () => StreamLane.open(target, { requests, room: share })),
  );
  const lanes = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed === undefined) return lanes;
  for (const lane of lanes) lane.close();
  throw failed.reason;
}
