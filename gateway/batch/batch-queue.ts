/**
 * Requests that may share a run, and what is known about them and their runs. Bookkeeping only: who goes when is the
 * batcher's decision, and it alone writes here.
 */
import { CostModel } from './cost-model.ts';
import { type Levelled, LevelQueue } from './level-queue.ts';
import type { ModelLine } from './model-line.ts';

/** How long after somebody was too late people with little time left are dropped for the others, milliseconds. */
export const strainedMsMax = 1000;
/**
 * Part of what a larger batch gets done in its time that a small one should. Forecasts count with full batches: at 0.8 those
 * who were taken in the simulated overload (test/simulation) were late one after the other.
 */
const batchWorth = 0.95;

/** What the batcher needs to know of a request, and the marks it keeps on it. Only the batcher writes the marks. */
export interface BatchMember extends Levelled {
  readonly rows: number;
  state: 'new' | 'waiting' | 'running' | 'settled';
  /** True once a batch with it failed: it may run again, alone, and not a third time. */
  retried: boolean;
}

export interface BatchQueueOptions<Queue> {
  /** Of its model. */
  readonly line: ModelLine<Queue>;
  /** Of what runs it. */
  readonly costs: CostModel;
  /** One request at a time, whatever its size. */
  readonly runsAlone: boolean;
}

/** Same model generation, row shapes and outputs. `Queue` is what the owner makes of this class. */
export class BatchQueue<Member extends BatchMember, Queue> {
  readonly line: ModelLine<Queue>;
  readonly costs: CostModel;
  /**
   * What lies between a run and its callers beyond what the lane is taken for: writing the answers of so many rows and handing
   * them to the system, and how late the event loop comes to what has arrived. Learned like `costs`; nothing is known before the first run.
   */
  readonly answerCosts: CostModel = new CostModel();
  readonly #runsAlone: boolean;
  readonly waiting: LevelQueue<Member> = new LevelQueue<Member>();
  /** Rows of those who wait and are not cancelled. */
  waitingRows = 0;
  /** Since when somebody waits who could have been run. */
  waitingSinceMs = 0;
  /** When somebody was last too late. */
  lastMissedMs: number = -Infinity;
  /** Whether it is in the line of its model. */
  inLine = false;

  constructor(options: BatchQueueOptions<Queue>) {
    this.line = options.line;
    this.costs = options.costs;
    this.#runsAlone = options.runsAlone;
  }

  /** Most rows of one batch; 1 means one request at a time, whatever its size. */
  get rowsMax(): number {
    return this.#runsAlone ? 1 : Math.min(this.line.tuning.rowsMax, this.costs.fixedRows ?? Infinity);
  }

  /**
   * Rows that a batch should have of the `available` ones: the largest allowed size that is not more, so that runs are of
   * few sizes, and the rest goes in the next batch. Where even the smallest is more, what there is goes as it is: sizes are
   * a preference, and a worker does not stay idle for them. A run with a fixed number of rows has that size only, and as many
   * of them are used as there are.
   */
  rowsFor(available: number): number {
    const most = Math.min(available, this.rowsMax);
    if (this.costs.fixedRows !== undefined) return most;
    const { allowedRows } = this.line.tuning;
    for (let index = allowedRows.length - 1; index >= 0; index--) {
      const rows = allowedRows[index];
      if (rows !== undefined && rows <= most) return rows;
    }
    return most;
  }

  /** From the start of a run of `rows` rows until its callers typically have their answers, milliseconds. */
  typicalMs(rows: number, nowMs: number): number {
    return this.costs.typicalMs(rows, nowMs) + this.answerCosts.typicalMs(rows, nowMs);
  }

  /** The same, for who must not be late. */
  carefulMs(rows: number, nowMs: number): number {
    return this.costs.carefulMs(rows, nowMs) + this.answerCosts.carefulMs(rows, nowMs);
  }

  /**
   * Most rows, from 0 to `rowsMax`, whose callers should have their answers within `budgetMs`. Where every run has the same rows,
   * fewer make none shorter: all.
   */
  rowsWithin(budgetMs: number, nowMs: number): number {
    const { rowsMax } = this;
    if (this.costs.fixedRows !== undefined) return rowsMax;
    if (this.carefulMs(rowsMax, nowMs) <= budgetMs) return rowsMax;
    let [fitting, beyond] = [0, rowsMax];
    while (beyond - fitting > 1) {
      const rows = (fitting + beyond) >> 1;
      if (this.carefulMs(rows, nowMs) <= budgetMs) fitting = rows;
      else beyond = rows;
    }
    return fitting;
  }

  /** What those who wait take of a worker, milliseconds. */
  workMs(nowMs: number): number {
    return this.costs.workMs(this.waitingRows, this.rowsFor(Infinity), nowMs);
  }

  /**
   * Whether a batch that ends within `budgetMs` is not worth it: people were too late just now, as many wait who have a
   * deadline as make a larger batch, and that would get much more done in its time. Then who has so little time left is
   * dropped: one batch of a few after the other would make all the others late too.
   */
  wastesBatch(budgetMs: number, nowMs: number): boolean {
    if (nowMs - this.lastMissedMs > strainedMsMax) return false;
    const { costs, rowsMax, waiting } = this;
    const timedRows = Math.round((this.waitingRows * waiting.timedLength) / Math.max(1, waiting.length));
    const rows = Math.max(1, this.rowsWithin(budgetMs, nowMs));
    const wanted = Math.min(rowsMax, timedRows);
    if (rows >= wanted) return false;
    const gain = (rows / costs.typicalMs(rows, nowMs)) * costs.typicalMs(wanted, nowMs);
    return gain < wanted * batchWorth;
  }

  /**
   * Until when a free worker lets it wait for more; -Infinity when it does not. Not past the last moment at which the run
   * should still be answered by the earliest deadline.
   */
  heldUntilMs(nowMs: number): number {
    const { delayMsMax } = this.line.tuning;
    if (delayMsMax === 0 || this.waitingRows >= this.rowsFor(Infinity)) return -Infinity;
    const { deadlineMs } = this.waiting;
    const heldMs = this.waitingSinceMs + delayMsMax;
    if (deadlineMs === Infinity) return heldMs;
    return Math.min(heldMs, deadlineMs - this.carefulMs(this.waitingRows, nowMs));
  }
}
