/**
 * Decides which waiting requests run together, and when a failed batch is tried again. A state machine without clock,
 * timer or promise: the owner reports what happened and carries out what comes back.
 *
 *     arrive -> waiting --next--> running --done--> settled
 *                  |                 `--failed--> waiting alone (once) | failed
 *                  `--cancel--> dropped
 *
 * It is work-conserving: whenever a worker is free and something waits that it can run, `next` gives a batch; nobody
 * waits for a batch to fill. While all workers are busy requests pile up and the next batch is larger.
 *
 * Invariants: a batch has members of one queue only; it holds at most the queue's `rowsMax` rows, or one member; members
 * of a queue leave by level, and those of one level in the order they came; every member leaves exactly once; `queuedRows` never exceeds its limit except
 * by retries, which were admitted before; the cancelled that still stand in a queue are never many more than the rest.
 */
import { FifoQueue } from './fifo-queue.ts';
import { type Levelled, LevelQueue } from './level-queue.ts';

/** Below this many cancelled members sweeping them out of the queues costs more than it frees. */
const cancelledMin = 64;

/** What the batcher needs to know of a request, and the marks it keeps on it. Only the batcher writes the marks. */
export interface BatchMember extends Levelled {
  readonly rows: number;
  state: 'new' | 'waiting' | 'running' | 'settled';
  /** True once a batch with it failed: it may run again, alone, and not a third time. */
  retried: boolean;
}

/** Requests that may share a run: same model generation, row shapes and outputs. */
export class BatchQueue<Member extends BatchMember> {
  /** Most rows of one batch; 1 means one request at a time, whatever its size. */
  readonly rowsMax: number;
  /** Belongs to the batcher. */
  readonly waiting: LevelQueue<Member> = new LevelQueue<Member>();
  /** Belongs to the batcher: whether the queue is in the round of queues with work. */
  inRound = false;

  constructor(rowsMax: number) {
    this.rowsMax = rowsMax;
  }
}

export interface Batch<Queue extends BatchQueue<Member>, Member extends BatchMember> {
  readonly queue: Queue;
  readonly members: readonly Member[];
  readonly rows: number;
}

/** `model`: the run reported an error for these inputs. `worker`: the thread ended under it. */
export type FailureCause = 'model' | 'worker';

export class Batcher<Queue extends BatchQueue<Member>, Member extends BatchMember> {
  readonly #queueRowsMax: number;
  readonly #round: FifoQueue<Queue> = new FifoQueue<Queue>();
  readonly #alone: FifoQueue<{ readonly queue: Queue; readonly member: Member }> = new FifoQueue();
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

  /** Whether `rows` more may wait. Ask before the work of decoding is spent. */
  hasRoomFor(rows: number): boolean {
    return this.#queuedRows + rows <= this.#queueRowsMax;
  }

  /** Event: a request was admitted to `queue`. The caller has asked `hasRoomFor`. */
  arrive(queue: Queue, member: Member): void {
    if (member.state !== 'new') throw new Error(`a ${member.state} request cannot arrive`);
    member.state = 'waiting';
    this.#queuedRows += member.rows;
    queue.waiting.push(member);
    if (!queue.inRound) {
      queue.inRound = true;
      this.#round.push(queue);
    }
  }

  /**
   * Event: a worker is free that runs the queues which `accepts` names. The batch it shall run now, or undefined when
   * nothing waits for it. Requests that must run alone go first, being the oldest; queues take turns, one batch each,
   * so that none starves.
   */
  next(accepts: (queue: Queue) => boolean = acceptsAny): Batch<Queue, Member> | undefined {
    return this.#nextAlone(accepts) ?? this.#nextOfRound(accepts);
  }

  /** Event: the batch was answered. */
  done(batch: Batch<Queue, Member>): void {
    for (const member of batch.members) stop(member, 'settled');
  }

  /**
   * Event: the batch failed as a whole. Members that may still be saved wait again, each alone; the others are
   * returned and have failed for good. A request that ran alone is not run again on the same inputs, except when it
   * was the thread that failed.
   */
  failed(batch: Batch<Queue, Member>, cause: FailureCause): readonly Member[] {
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
    return lost;
  }

  /**
   * Event: nobody wants the answer any more, or not so late. True when the request was still waiting: it will never be in a batch and its memory may
   * be reused. False when it runs or is settled; then the answer will find nobody.
   */
  cancel(member: Member): boolean {
    if (member.state !== 'waiting') return false;
    member.state = 'settled';
    this.#queuedRows -= member.rows;
    this.#cancelledUnswept += 1;
    this.#sweepIfWorth();
    return true;
  }

  /** What this worker cannot run keeps its place, here and in the round: skipping is nobody's turn. */
  #nextAlone(accepts: (queue: Queue) => boolean): Batch<Queue, Member> | undefined {
    for (;;) {
      const entry = this.#alone.take(({ queue, member }) => member.state !== 'waiting' || accepts(queue));
      if (entry === undefined) return undefined;
      if (entry.member.state !== 'waiting') continue;
      this.#start(entry.member);
      return { queue: entry.queue, members: [entry.member], rows: entry.member.rows };
    }
  }

  #nextOfRound(accepts: (queue: Queue) => boolean): Batch<Queue, Member> | undefined {
    for (;;) {
      const queue = this.#round.take(accepts);
      if (queue === undefined) return undefined;
      const batch = this.#form(queue);
      if (queue.waiting.length > 0) this.#round.push(queue);
      else queue.inRound = false;
      if (batch !== undefined) return batch;
    }
  }

  /** As many of the first members as fit; the very first always fits. Undefined when all that waited were cancelled. */
  #form(queue: Queue): Batch<Queue, Member> | undefined {
    const members: Member[] = [];
    let rows = 0;
    for (;;) {
      const member = queue.waiting.peek();
      if (member === undefined) break;
      if (member.state === 'waiting') {
        if (members.length > 0 && rows + member.rows > queue.rowsMax) break;
        this.#start(member);
        members.push(member);
        rows += member.rows;
      }
      queue.waiting.shift();
    }
    return members.length === 0 ? undefined : { queue, members, rows };
  }

  #start(member: Member): void {
    member.state = 'running';
    this.#queuedRows -= member.rows;
  }

  /**
   * Takes the cancelled out of the queues once they may be half of what stands there, so that clients who come and go
   * while no worker is free cannot make the queues grow. A member has at least one row, so the rows stand for the
   * others. Those who wait alone are no more than ran at once, and stay until their turn.
   */
  #sweepIfWorth(): void {
    if (this.#cancelledUnswept < cancelledMin || this.#cancelledUnswept < this.#queuedRows) return;
    this.#round.retain((queue) => {
      queue.waiting.retain((member) => member.state === 'waiting');
      queue.inRound = queue.waiting.length > 0;
      return queue.inRound;
    });
    this.#cancelledUnswept = 0;
  }
}

/** The end of a run, and the only one: a batch that is settled twice would answer twice. */
function stop(member: BatchMember, state: 'waiting' | 'settled'): void {
  if (member.state !== 'running') throw new Error(`a ${member.state} request cannot stop running`);
  member.state = state;
}

function acceptsAny(): boolean {
  return true;
}
