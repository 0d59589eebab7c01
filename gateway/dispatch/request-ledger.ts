/**
 * Who is in the gateway: every request from when it is taken until it leaves, and what it holds meanwhile.
 *
 * Invariant: what a request holds is given back exactly once, when it leaves, and there is one place where it leaves.
 */
import { performance } from 'node:perf_hooks';
import type { CallerShares } from '../admission/caller-shares.ts';
import type { Outcome } from '../telemetry/version-metrics.ts';
import type { WireError } from '../wire/error-code.ts';
import { DeadlineWatch } from './deadline-watch.ts';
import { InflightRequests } from './inflight-requests.ts';
import type { QueueDirectory } from './queue-directory.ts';
import type { PendingRequest } from './request-queue.ts';

export interface RequestLedgerOptions {
  readonly queues: QueueDirectory;
  readonly callers: CallerShares;
  /** The deadline of a request is over that waits or runs. */
  readonly onDue: (pending: PendingRequest) => void;
  /** Who judges a rollout failed on this one: that is no matter of its caller. */
  readonly onFault: (fault: unknown) => void;
}

export class RequestLedger {
  readonly #queues: QueueDirectory;
  readonly #callers: CallerShares;
  readonly #inflight = new InflightRequests<PendingRequest>();
  readonly #deadlines: DeadlineWatch<PendingRequest>;
  readonly #onFault: (fault: unknown) => void;
  #onEmpty: (() => void) | undefined;

  constructor({ queues, callers, onDue, onFault }: RequestLedgerOptions) {
    this.#queues = queues;
    this.#callers = callers;
    this.#deadlines = new DeadlineWatch(onDue);
    this.#onFault = onFault;
  }

  /** Requests accepted and not yet answered. */
  get size(): number {
    return this.#inflight.size;
  }

  has(pending: PendingRequest): boolean {
    return this.#inflight.has(pending);
  }

  /** A copy, so that requests may leave while one walks over it. */
  list(): readonly PendingRequest[] {
    return this.#inflight.list();
  }

  /** Takes a request in; its queue counts it already. */
  enter(pending: PendingRequest): void {
    pending.queue.generation.acquire();
    this.#callers.take(pending);
    this.#inflight.add(pending);
    if (pending.deadlineMs !== undefined) this.#deadlines.add(pending);
  }

  /** Tells of every request whose deadline is over. */
  expire(nowMs: number): void {
    if (this.#deadlines.size > 0) this.#deadlines.expire(nowMs);
  }

  /** They run: whatever their deadline, they are answered. */
  began(members: readonly PendingRequest[]): void {
    if (this.#deadlines.size === 0) return;
    for (const pending of members) this.#deadlines.remove(pending);
  }

  answerFailure(pending: PendingRequest, error: WireError): void {
    if (!pending.abandoned && !pending.replied) pending.sink.fail(error);
    this.leave(pending, error.code);
  }

  /** The one place where a request leaves and is counted, whatever became of it. */
  leave(pending: PendingRequest, outcome: Outcome, nowMs: number = performance.now()): void {
    this.#inflight.remove(pending);
    if (pending.dueSeat >= 0) this.#deadlines.remove(pending);
    this.#callers.release(pending);
    const { metrics } = pending.queue.generation;
    const counted = pending.failedWith ?? (pending.abandoned ? 'ABANDONED' : outcome);
    const seconds = (nowMs - pending.arrivedMs) / 1000;
    metrics.outcomes.count(pending.protocol, counted);
    metrics.requestSeconds.record(seconds);
    if (counted !== 'OK') metrics.failedSeconds += seconds;
    if (pending.trial !== undefined) this.#tell(pending, counted, nowMs);
    pending.queue.slabs.release(pending.place);
    this.#queues.leave(pending.queue);
    pending.queue.generation.release();
    if (this.#inflight.size === 0) this.#onEmpty?.();
  }

  #tell({ trial, answered }: PendingRequest, outcome: Outcome, nowMs: number): void {
    try {
      trial?.watch.ended(trial, outcome, performance.timeOrigin + nowMs, answered);
    } catch (fault) {
      this.#onFault(fault);
    }
  }

  /** Resolves when nothing is in flight. */
  async settled(): Promise<void> {
    while (this.#inflight.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
  }
}
