/**
 * Gives free lanes their next batch and carries the replies back: the threads one batch each, the event loop's own lane
 * all that arrived in a turn. Which batch is next, and what becomes of a reply, is decided elsewhere.
 */
import { performance } from 'node:perf_hooks';
import type { Lane, LaneReply } from '../../runtime/pool/lane.ts';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { WorkerGroup } from '../batch/backlog.ts';
import type { Worker } from '../batch/batcher.ts';
import { type RequestBatch, runOf } from './batch-tensors.ts';
import type { RequestQueue } from './request-queue.ts';
import { StayAwake } from './stay-awake.ts';

/** Longest time that inline batches run in one turn of the event loop, milliseconds. */
const inlineTurnMsMax = 2;

export interface LaneFeederOptions {
  readonly pool: WorkerPool;
  readonly next: (worker: Worker<RequestQueue>) => RequestBatch | undefined;
  readonly settle: (batch: RequestBatch, reply: LaneReply, repliedMs: number) => void;
  /** An invariant broke on the way to a lane; gives what the log calls it. */
  readonly onFault: (fault: unknown) => string;
}

export class LaneFeeder {
  readonly #options: LaneFeederOptions;
  readonly #awake = new StayAwake();
  readonly #threads = new WeakMap<Lane, Worker<RequestQueue>>();
  readonly #inline: Worker<RequestQueue>;
  #inlineBusy = false;

  constructor(options: LaneFeederOptions) {
    this.#options = options;
    this.#inline = { accepts: this.#runsInline, clock: { virtualMs: 0 } };
  }

  /** Something may wait: every lane that is free gets what it can run. */
  feedAll(): void {
    for (const lane of this.#options.pool.lanes) this.feed(lane);
    void this.#runInline();
  }

  /** Gives a free lane its next batch. */
  feed(lane: Lane): void {
    if (lane.state !== 'idle') return;
    const batch = this.#options.next(this.#workerOf(lane));
    if (batch !== undefined) void this.#run(lane, batch);
  }

  async #run(lane: Lane, batch: RequestBatch): Promise<void> {
    const reply = await this.#runSafely(() => lane.run(runOf(batch)));
    const repliedMs = performance.now();
    // The next batch goes out before this one is encoded, so that the lane does not wait for the encoder.
    this.feed(lane);
    this.#options.settle(batch, reply, repliedMs);
  }

  /** Runs what is cheaper to run here than to hand over: all that arrived in this turn, batch by batch. */
  async #runInline(): Promise<void> {
    if (this.#inlineBusy) return;
    this.#inlineBusy = true;
    const { pool, next, settle } = this.#options;
    let turnMs = performance.now();
    try {
      for (;;) {
        const batch = next(this.#inline);
        if (batch === undefined) break;
        const reply = await this.#runSafely(() => pool.inlineLane.run(runOf(batch)));
        settle(batch, reply, performance.now());
        // Where many ask, a sleep gathers the next batch; where one asks, it only delays.
        if (batch.members.length === 1) this.#awake.answered();
        // Sockets, timers and the other lanes must not wait for a long queue.
        if (performance.now() - turnMs > inlineTurnMsMax) {
          await new Promise((resolve) => setImmediate(resolve));
          turnMs = performance.now();
        }
      }
    } finally {
      this.#inlineBusy = false;
    }
  }

  /** The lanes that can run a queue, for forecasts: those that are lost come back. */
  workersOf(queue: RequestQueue): WorkerGroup<RequestQueue> {
    if (this.#runsInline(queue)) return { accepts: this.#runsInline, lanes: 1 };
    let lanes = 0;
    for (const lane of this.#options.pool.lanes) if (this.#runsOn(lane, queue)) lanes += 1;
    return { accepts: this.#needsThread, lanes: Math.max(1, lanes) };
  }

  /** All of them. */
  anyWorkers(): WorkerGroup<RequestQueue> {
    return { accepts: () => true, lanes: this.#options.pool.lanes.length + 1 };
  }

  #runsOn(lane: Lane, queue: RequestQueue): boolean {
    return this.#needsThread(queue) && this.#options.pool.holds(lane, queue.generation.session);
  }

  #workerOf(lane: Lane): Worker<RequestQueue> {
    let worker = this.#threads.get(lane);
    if (worker === undefined) {
      worker = { accepts: (queue) => this.#runsOn(lane, queue), clock: { virtualMs: 0 } };
      this.#threads.set(lane, worker);
    }
    return worker;
  }

  /** A broken invariant on the way to a lane is a lane that did not answer. */
  async #runSafely(run: () => Promise<LaneReply>): Promise<LaneReply> {
    try {
      return await run();
    } catch (fault) {
      return { kind: 'lost', detail: this.#options.onFault(fault) };
    }
  }

  readonly #runsInline = (queue: RequestQueue): boolean =>
    this.#options.pool.inlineLane.holds(queue.generation.session);

  readonly #needsThread = (queue: RequestQueue): boolean => !this.#runsInline(queue);
}
