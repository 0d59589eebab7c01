/**
 * Decides which waiting requests run together, and when a failed batch is tried again. A state machine without clock,
 * timer or promise: the owner reports what happened and carries out what comes back.
 *
 *     arrive -> waiting --next--> running --done--> settled
 *                  |                 `--failed--> waiting alone (once) | failed
 *                  |--cancel--> dropped
 *                  `--next, too late for its deadline--> missed
 *
 * It is work-conserving: whenever a worker is free and something waits that it can run, `next` gives a batch; while all
 * workers are busy requests pile up and the next batch is larger. Only a model that was given a delay lets a worker wait,
 * for that long and never past a deadline.
 *
 * Models take turns by the worker time they have had (model-line.ts), the queues of a model one batch each. A queue is left
 * by level, within a level by who is due first. A batch grows as long as its answers should still be there by the earliest of
 * its deadlines (cost-model.ts).
 *
 * Invariants: a batch has members of one queue only; it holds at most the queue's `rowsMax` rows, or one member; every
 * member leaves exactly once; `queuedRows` never exceeds its limit except by retries, which were admitted before; the
 * cancelled that still stand in a queue are never many more than the rest.
 */
import type { BatchMember, BatchQueue } from './batch-queue.ts';
import { FifoQueue } from './fifo-queue.ts';
import type { LaneClock, ModelLine } from './model-line.ts';

/** Below this many cancelled members sweeping them out of the queues costs more than it frees. */
const cancelledMin = 64;

/**
 * Why a batch holds no more: its rows are the most there may be (`full`), nobody else waited (`drained`), its run would
 * have ended past a deadline (`slack`), more would have been of a size that is not allowed (`size`), nobody else came
 * while it waited for more (`delay`), or its only member was in one
 * that failed (`retry`).
 */
export type BatchTrigger = 'full' | 'drained' | 'slack' | 'size' | 'delay' | 'retry';

export interface Batch<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember> {
  readonly queue: Queue;
  readonly members: readonly Member[];
  readonly rows: number;
  readonly trigger: BatchTrigger;
  readonly startedMs: number;
  /** How long the worker should be taken, milliseconds; 0 when that is not known. */
  readonly predictedMs: number;
}

/** `model`: the run reported an error for these inputs. `worker`: the thread ended under it. */
export type FailureCause = 'model' | 'worker';

/** A worker that is free, or a kind of them. */
export interface Worker<Queue> {
  readonly accepts: (queue: Queue) => boolean;
  readonly clock: LaneClock;
}

export class Batcher<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember> {
  readonly #queueRowsMax: number;
  /** Models with work, those that were served last at the end. */
  readonly #lines: FifoQueue<ModelLine<Queue>> = new FifoQueue();
  readonly #alone: FifoQueue<{ readonly queue: Queue; readonly member: Member }> = new FifoQueue();
  readonly #running: Batch<Queue, Member>[] = [];
  #missed: Member[] = [];
  #queuedRows = 0;
  /** Members cancelled since the queues were last swept. */
  #cancelledUnswept = 0;

  constructor(options: { readonly queueRowsMax: number }) {
    this.#queueRowsMax = options.queueRowsMax;
  }

  /** Rows that wait, over all queues. */
  get queuedRows(): number {
    return this.#queuedRows;
  }

  /** Models with work. */
  get lines(): Iterable<ModelLine<Queue>> {
    return this.#lines;
  }

  get running(): Iterable<Batch<Queue, Member>> {
    return this.#running;
  }

  /** Whether `rows` more may wait. */
  hasRoomFor(rows: number): boolean {
    return this.#queuedRows + rows <= this.#queueRowsMax;
  }

  /** Event: a request was admitted to `queue`. The caller has asked `hasRoomFor`. */
  arrive(queue: Queue, member: Member): void {
    if (member.state !== 'new') throw new Error(`a ${member.state} request cannot arrive`);
    member.state = 'waiting';
    this.#queuedRows += member.rows;
    queue.waitingRows += member.rows;
    queue.waiting.push(member);
    if (queue.inLine) return;
    queue.inLine = true;
    queue.waitingSinceMs = member.arrivedMs;
    const line = queue.line;
    if (line.isIdle) this.#lines.push(line);
    line.queues.push(queue);
  }

  /**
   * Event: a worker is free. The batch it shall run now, or undefined when nothing waits for it, or only what waits for
   * more. Requests that must run alone go first, being the oldest. Those who were passed over because they are too late are
   * in `takeMissed`.
   */
  next(nowMs: number, { accepts, clock }: Worker<Queue>): Batch<Queue, Member> | undefined {
    const batch = this.#nextAlone(nowMs, accepts) ?? this.#nextOfLines(nowMs, { accepts, clock });
    if (batch === undefined) return undefined;
    batch.queue.line.begin(batch.predictedMs, clock);
    this.#running.push(batch);
    return batch;
  }

  /** Members that `next` dropped since it was last asked: their answer would come too late, even if they ran alone. */
  takeMissed(): readonly Member[] {
    if (this.#missed.length === 0) return none;
    const missed = this.#missed;
    this.#missed = [];
    return missed;
  }

  /** When `next` may give a batch that it does not give now, though no event comes; Infinity when it will not. */
  lookAgainMs(nowMs: number): number {
    let againMs = Infinity;
    for (const line of this.#lines) {
      if (line.tuning.delayMsMax === 0) continue;
      for (const queue of line.queues) {
        const heldMs = queue.heldUntilMs(nowMs);
        if (heldMs > nowMs) againMs = Math.min(againMs, heldMs);
      }
    }
    return againMs;
  }

  /** Event: the batch was answered. */
  done(batch: Batch<Queue, Member>, endedMs: number): void {
    for (const member of batch.members) stop(member, 'settled');
    this.#ended(batch, endedMs);
    batch.queue.costs.learn(batch.rows, endedMs - batch.startedMs, endedMs);
  }

  /**
   * Event: the callers of a batch that is done have their answers. `ms` is what that took beyond the worker's time: writing
   * them, and how late the worker's reply and the requests before it were come to.
   */
  answered({ queue, rows }: Batch<Queue, Member>, ms: number, nowMs: number): void {
    queue.answerCosts.learn(rows, ms, nowMs);
  }

  /** Event: the worker would not run the batch, and will run none of its queue. Nothing is learned from it. */
  refused(batch: Batch<Queue, Member>, endedMs: number): void {
    for (const member of batch.members) stop(member, 'settled');
    this.#ended(batch, endedMs);
  }

  /**
   * Event: the batch failed as a whole. Members that may still be saved wait again, each alone; the others are
   * returned and have failed for good. A request that ran alone is not run again on the same inputs, except when it
   * was the thread that failed.
   */
  failed(batch: Batch<Queue, Member>, cause: FailureCause, endedMs: number): readonly Member[] {
    const lost: Member[] = [];
    for (const member of batch.members) {
      if (member.retried || (cause === 'model' && batch.members.length === 1)) {
        stop(member, 'settled');
        lost.push(member);
        continue;
      }
      stop(member, 'waiting');
      member.retried = true;
      this.#queuedRows += member.rows;
      this.#alone.push({ queue: batch.queue, member });
    }
    this.#ended(batch, endedMs);
    return lost;
  }

  /**
   * Event: nobody wants the answer any more, or not so late. True when the request was still waiting: it will never be in a batch and its memory may
   * be reused. False when it runs or is settled; then the answer will find nobody.
   */
  cancel(queue: Queue, member: Member): boolean {
    if (member.state !== 'waiting') return false;
    this.#leave(queue, member, 'settled');
    this.#cancelledUnswept += 1;
    this.#sweepIfWorth();
    return true;
  }

  /** What this worker cannot run keeps its place, here and in the line: skipping is nobody's turn. */
  #nextAlone(nowMs: number, accepts: (queue: Queue) => boolean): Batch<Queue, Member> | undefined {
    for (;;) {
      if (this.#alone.length === 0) return undefined;
      const entry = this.#alone.take(({ queue, member }) => member.state !== 'waiting' || accepts(queue));
      if (entry === undefined) return undefined;
      const { queue, member } = entry;
      if (member.state !== 'waiting' || this.#isMissed(queue, member, nowMs)) continue;
      this.#leave(queue, member, 'running');
      return batchOf({ queue, members: [member], rows: member.rows, trigger: 'retry' }, nowMs);
    }
  }

  #nextOfLines(nowMs: number, { accepts, clock }: Worker<Queue>): Batch<Queue, Member> | undefined {
    const isReady = (queue: Queue): boolean => accepts(queue) && queue.heldUntilMs(nowMs) <= nowMs;
    for (;;) {
      const line = this.#lineWithLeast(isReady, clock);
      const queue = line?.queues.take(isReady);
      if (line === undefined || queue === undefined) return undefined;
      const batch = this.#form(queue, nowMs);
      this.#lines.take((other) => other === line);
      if (queue.waiting.length > 0) {
        line.queues.push(queue);
        queue.waitingSinceMs = queue.waiting.peek()?.arrivedMs ?? nowMs;
      } else {
        queue.inLine = false;
      }
      if (line.isIdle) line.becameIdle();
      else this.#lines.push(line);
      if (batch !== undefined) return batch;
    }
  }

  /** Of the models that can be run, the one that has had least; of equals, the one that waits longer. */
  #lineWithLeast(isReady: (queue: Queue) => boolean, clock: LaneClock): ModelLine<Queue> | undefined {
    // Mostly there is one, and nothing to choose.
    if (this.#lines.length <= 1) return this.#lines.peek();
    let least: ModelLine<Queue> | undefined;
    let leastMs = Infinity;
    for (const line of this.#lines) {
      const ms = line.virtualMsFor(clock);
      if (ms >= leastMs || !line.queues.some(isReady)) continue;
      least = line;
      leastMs = ms;
    }
    return least;
  }

  /**
   * As many of the first members as fit, should be in time and make an allowed size; the very first always fits. Undefined when all that waited
   * were cancelled or too late.
   */
  #form(queue: Queue, nowMs: number): Batch<Queue, Member> | undefined {
    const { rowsMax, waiting } = queue;
    const members: Member[] = [];
    let rows = 0;
    let [rowsFitting, earliestMs] = [rowsMax, Infinity];
    let trigger: BatchTrigger = queue.line.tuning.delayMsMax > 0 ? 'delay' : 'drained';
    for (;;) {
      const member = waiting.peek();
      if (member === undefined) break;
      if (member.state === 'waiting' && !this.#isMissed(queue, member, nowMs)) {
        const deadlineMs = member.deadlineMs ?? Infinity;
        const fitting =
          deadlineMs < earliestMs
            ? Math.min(rowsFitting, queue.rowsWithin(deadlineMs - nowMs, nowMs))
            : rowsFitting;
        const reachable = Math.min(rows + queue.waitingRows, fitting);
        const wanted = queue.rowsFor(reachable);
        if (members.length > 0 && rows + member.rows > wanted) {
          if (wanted < reachable) trigger = 'size';
          else trigger = fitting < rowsMax ? 'slack' : 'full';
          break;
        }
        [rowsFitting, earliestMs] = [fitting, Math.min(deadlineMs, earliestMs)];
        this.#leave(queue, member, 'running');
        members.push(member);
        rows += member.rows;
      }
      waiting.shift();
    }
    if (members.length === 0) return undefined;
    if (rows >= rowsMax) trigger = 'full';
    return batchOf({ queue, members, rows, trigger }, nowMs);
  }

  /**
   * Whether it cannot be in time any more, even if it runs now and alone; then it is dropped, before anything is computed
   * for it. What runs typically take must say so, and must be recent. Or whether the others would be late because of it.
   */
  #isMissed(queue: Queue, member: Member, nowMs: number): boolean {
    const { deadlineMs } = member;
    if (deadlineMs === undefined) return false;
    const isLate = queue.costs.isFresh(nowMs) && nowMs + queue.typicalMs(member.rows, nowMs) > deadlineMs;
    if (isLate || nowMs > deadlineMs) queue.lastMissedMs = nowMs;
    else if (member.retried || !queue.wastesBatch(deadlineMs - nowMs, nowMs)) return false;
    this.#leave(queue, member, 'settled');
    this.#missed.push(member);
    return true;
  }

  /** It waits no more. */
  #leave(queue: Queue, member: Member, state: 'running' | 'settled'): void {
    member.state = state;
    this.#queuedRows -= member.rows;
    if (!member.retried) queue.waitingRows -= member.rows;
  }

  /** The worker is free again; its model pays for the time that it was taken. */
  #ended(batch: Batch<Queue, Member>, endedMs: number): void {
    const place = this.#running.indexOf(batch);
    if (place >= 0) this.#running.splice(place, 1);
    batch.queue.line.correct(Math.max(0, endedMs - batch.startedMs) - batch.predictedMs);
  }

  /**
   * Takes the cancelled out of the queues once they may be half of what stands there, so that clients who come and go
   * while no worker is free cannot make the queues grow. A member has at least one row, so the rows stand for the
   * others. Those who wait alone are no more than ran at once, and stay until their turn.
   */
  #sweepIfWorth(): void {
    if (this.#cancelledUnswept < cancelledMin || this.#cancelledUnswept < this.#queuedRows) return;
    this.#lines.retain((line) => {
      line.queues.retain((queue) => {
        queue.waiting.retain((member) => member.state === 'waiting');
        queue.inLine = queue.waiting.length > 0;
        return queue.inLine;
      });
      if (line.isIdle) line.becameIdle();
      return !line.isIdle;
    });
    this.#cancelledUnswept = 0;
  }
}

const none: readonly never[] = [];

function batchOf<Queue extends BatchQueue<Member, Queue>, Member extends BatchMember>(
  chosen: Pick<Batch<Queue, Member>, 'queue' | 'members' | 'rows' | 'trigger'>,
  startedMs: number,
): Batch<Queue, Member> {
  const { queue, members, rows, trigger } = chosen;
  const predictedMs = queue.costs.typicalMs(rows, startedMs);
  return { queue, members, rows, trigger, startedMs, predictedMs };
}

/** The end of a run, and the only one: a batch that is settled twice would answer twice. */
function stop(member: BatchMember, state: 'waiting' | 'settled'): void {
  if (member.state !== 'running') throw new Error(`a ${member.state} request cannot stop running`);
  member.state = state;
}
