/**
 * The queues of one model, and how much of the workers' time the model has had: what the turns between models go by.
 *
 * Deficit round robin with a quantum so small that rounds in which nobody has saved up enough are skipped by arithmetic:
 * each model has used so much time over its weight, and the one that has used least is next. A model that was idle does not
 * keep what it left to others: it starts where the workers it meets are now.
 */
import { FifoQueue } from './fifo-queue.ts';

/** How the requests of a model are batched. May be replaced at any time; it then holds from the next batch on. */
export interface BatchTuning {
  /** Most rows that requests may join to. */
  readonly rowsMax: number;
  /** Sizes that batches are cut down to, ascending; empty for any size. See `BatchQueue.rowsFor`. */
  readonly allowedRows: readonly number[];
  /** How long the oldest request may wait for others while a worker is free, milliseconds; 0 never waits. */
  readonly delayMsMax: number;
  /** Share of the workers' time, in proportion to that of the other models that want it. */
  readonly weight: number;
  /** When answers are due of requests that do not say, milliseconds after their arrival; undefined lets them wait. */
  readonly timeoutMs: number | undefined;
  /** After which a run counts as hanging, milliseconds; undefined for what holds for any model. For whoever runs a batch. */
  readonly runMsMax?: number | undefined;
}

/** One that is run work: how far it has come in the time that models use over their weights. */
export interface LaneClock {
  virtualMs: number;
}

export class ModelLine<Queue> {
  tuning: BatchTuning;
  /** Queues with work, in turn, one batch each. Belongs to the batcher. */
  readonly queues: FifoQueue<Queue> = new FifoQueue<Queue>();
  #virtualMs = 0;
  #wasIdle = true;

  constructor(tuning: BatchTuning) {
    this.tuning = tuning;
  }

  get isIdle(): boolean {
    return this.queues.length === 0;
  }

  /** Worker time used so far over the weight, for a worker that looks for work. */
  virtualMsFor(clock: LaneClock): number {
    return this.#wasIdle ? Math.max(this.#virtualMs, clock.virtualMs) : this.#virtualMs;
  }

  /** It begins to use `ms` on a worker. */
  begin(ms: number, clock: LaneClock): void {
    clock.virtualMs = Math.max(clock.virtualMs, this.virtualMsFor(clock));
    this.#virtualMs = this.virtualMsFor(clock);
    this.#wasIdle = false;
    this.correct(ms);
  }

  /** It used that much more than was said, or less. */
  correct(ms: number): void {
    this.#virtualMs += ms / this.tuning.weight;
  }

  /** Nothing waits any more. */
  becameIdle(): void {
    this.#wasIdle = true;
  }
}
