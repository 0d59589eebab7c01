/**
 * A way to a server on which a few requests can be under way at a time: one on an HTTP/1.1 connection, many on a
 * WebSocket. A lane knows neither when requests are due nor what becomes of the answers.
 */
import type { Outcome } from './window-result.ts';

export interface LaneAnswer {
  /** What `send` was given. */
  readonly token: number;
  readonly outcome: Outcome;
  /** Why it is not good, in words that are the same for all answers of a kind. */
  readonly reason?: string;
}

/** The requests that are sent, in turn, as bytes. */
export interface RequestCycle {
  readonly next: () => Uint8Array;
}

export type LaneListener = (lane: Lane, answer: LaneAnswer) => void;

export interface Lane {
  /** Requests that may be under way at a time. */
  readonly room: number;
  /** Who is told of answers from now on. Every request that was sent is answered exactly once, unless `close` comes first. */
  listen(listener: LaneListener): void;
  /** Never more than `room` at a time. `token` is handed back with the answer. */
  send(token: number): void;
  /** Everything that is sent now has been: the moment to write it. */
  flush(): void;
  close(): void;
}

/** The server says: not now, or: not in the time you gave me. */
const refusalStatuses = new Set([429, 503, 504]);

export function outcomeOfStatus(status: number): Outcome {
  if (status === 200) return 'good';
  return refusalStatuses.has(status) ? 'refused' : 'failed';
}
