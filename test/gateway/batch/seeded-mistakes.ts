/**
 * Batchers with one mistake each, to test the tests: for every law there is one that breaks it, and the suite must find
 * it. They are wrong on purpose.
 */
import { Batcher, type FailureCause, type Worker } from '../../../gateway/batch/batcher.ts';
import type { LawName } from './laws.ts';
import type { Member, Queue, TestBatch, TestBatcher } from './random-run.ts';

type QueueWorker = Worker<Queue>;

/** Loses every 50th member at the door: the caller believes that it waits. */
class DropsArrivals extends Batcher<Queue, Member> {
  #arrivals = 0;

  override arrive(queue: Queue, member: Member): void {
    this.#arrivals += 1;
    if (this.#arrivals % 50 === 0) member.state = 'waiting';
    else super.arrive(queue, member);
  }
}

/** Hands the same batch out again now and then. */
class RepeatsBatches extends Batcher<Queue, Member> {
  #last: TestBatch | undefined;
  #batches = 0;

  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    this.#batches += 1;
    if (this.#batches % 10 === 0 && this.#last !== undefined) return this.#last;
    this.#last = super.next(nowMs, worker);
    return this.#last;
  }
}

/** Joins a batch with the one behind it, whatever their queues and sizes. */
class JoinsBatches extends Batcher<Queue, Member> {
  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const [first, second] = [super.next(nowMs, worker), super.next(nowMs, worker)];
    if (first === undefined || second === undefined) return first;
    return { ...first, members: [...first.members, ...second.members], rows: first.rows + second.rows };
  }
}

/** Runs the newest member of a batch first. */
class TurnsBatchesAround extends Batcher<Queue, Member> {
  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const batch = super.next(nowMs, worker);
    return batch === undefined ? undefined : { ...batch, members: batch.members.toReversed() };
  }
}

/** Waits for eight rows before it gives anything, as a batcher with a fixed batch size would. */
class WaitsForFullBatches extends Batcher<Queue, Member> {
  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    return this.queuedRows < 8 ? undefined : super.next(nowMs, worker);
  }
}

/** Forgets who was tried before. */
class TriesForEver extends Batcher<Queue, Member> {
  override failed(batch: TestBatch, how: FailureCause, endedMs: number): readonly Member[] {
    for (const member of batch.members) member.retried = false;
    return super.failed(batch, how, endedMs);
  }
}

/** Fails everybody at the first failure. */
class NeverTriesAgain extends Batcher<Queue, Member> {
  override failed(batch: TestBatch, _how: FailureCause, endedMs: number): readonly Member[] {
    this.done(batch, endedMs);
    return batch.members;
  }
}

/** Goes on counting those who left. */
class CountsTheCancelled extends Batcher<Queue, Member> {
  #extra = 0;

  override get queuedRows(): number {
    return super.queuedRows + this.#extra;
  }

  override cancel(queue: Queue, member: Member): boolean {
    const dropped = super.cancel(queue, member);
    if (dropped) this.#extra += member.rows;
    return dropped;
  }
}

/** Serves one queue for as long as it has work, by keeping the others from the door until then. */
class StarvesQueues extends Batcher<Queue, Member> {
  readonly #held: { readonly queue: Queue; readonly member: Member }[] = [];
  #heldRows = 0;
  #served: Queue | undefined;

  override get queuedRows(): number {
    return super.queuedRows + this.#heldRows;
  }

  override arrive(queue: Queue, member: Member): void {
    this.#served ??= queue;
    if (queue === this.#served) {
      super.arrive(queue, member);
      return;
    }
    this.#held.push({ queue, member });
    this.#heldRows += member.rows;
  }

  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const batch = super.next(nowMs, worker);
    if (batch !== undefined) return batch;
    this.#served = undefined;
    this.#heldRows = 0;
    for (const { queue, member } of this.#held.splice(0)) this.arrive(queue, member);
    return super.next(nowMs, worker);
  }

  override cancel(queue: Queue, member: Member): boolean {
    const index = this.#held.findIndex((entry) => entry.member === member);
    if (index === -1) return super.cancel(queue, member);
    this.#held.splice(index, 1);
    this.#heldRows -= member.rows;
    member.state = 'settled';
    return true;
  }
}

/** Looks at new arrivals only after it has given a batch. */
class LetsThemInLate extends Batcher<Queue, Member> {
  readonly #door: { readonly queue: Queue; readonly member: Member }[] = [];

  override arrive(queue: Queue, member: Member): void {
    this.#door.push({ queue, member });
  }

  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const batch = super.next(nowMs, worker);
    for (const { queue, member } of this.#door.splice(0)) super.arrive(queue, member);
    return batch ?? super.next(nowMs, worker);
  }
}

/** Lets one batch pass those who must run alone. */
class PutsRetriesBack extends Batcher<Queue, Member> {
  #kept: TestBatch | undefined;

  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) return kept;
    const batch = super.next(nowMs, worker);
    if (batch?.members.some((member) => member.retried) !== true) return batch;
    this.#kept = batch;
    return super.next(nowMs, worker);
  }
}

/** Gives a worker what it cannot run. */
class AsksNobody extends Batcher<Queue, Member> {
  override next(nowMs: number, { clock }: QueueWorker): TestBatch | undefined {
    return super.next(nowMs, { clock, accepts: () => true });
  }
}

/** Lets the last of a failed batch go first. */
class RetriesBackwards extends Batcher<Queue, Member> {
  override failed(batch: TestBatch, how: FailureCause, endedMs: number): readonly Member[] {
    return super.failed({ ...batch, members: batch.members.toReversed() }, how, endedMs).toReversed();
  }
}

/** Runs whatever comes first, however late it is. */
class RunsTheLate extends Batcher<Queue, Member> {
  override next(nowMs: number, worker: QueueWorker): TestBatch | undefined {
    const batch = super.next(nowMs, worker);
    const [late] = this.takeMissed();
    if (batch === undefined || late?.home !== batch.queue) return batch;
    late.state = 'running';
    return { ...batch, members: [late, ...batch.members], rows: batch.rows + late.rows };
  }
}

/** Believes that a clock which stands still is kinder. */
class StopsTheClock extends Batcher<Queue, Member> {
  override next(_nowMs: number, worker: QueueWorker): TestBatch | undefined {
    return super.next(0, worker);
  }
}

export interface Mistake {
  readonly mistake: string;
  readonly Broken: new (options: { readonly queueRowsMax: number }) => TestBatcher;
  readonly broken: readonly LawName[];
}

export const mistakes: readonly Mistake[] = [
  {
    mistake: 'every 50th member is dropped',
    Broken: DropsArrivals,
    broken: [
      'every member is in one place at a time and ends done, failed, cancelled or missed',
      'queuedRows is the sum over those who wait',
      'whenever something waits that the worker can run there is a batch',
    ],
  },
  {
    mistake: 'a batch is handed out twice',
    Broken: RepeatsBatches,
    broken: ['every member is in one place at a time and ends done, failed, cancelled or missed'],
  },
  {
    mistake: 'two batches are joined',
    Broken: JoinsBatches,
    broken: [
      'a batch never mixes queues',
      'a batch never has more rows than its queue allows, unless it has one member',
      'a member runs at most twice, and the second time alone',
    ],
  },
  {
    mistake: 'the newest goes first',
    Broken: TurnsBatchesAround,
    broken: [
      'nobody is first run while somebody of the same queue and level waits who is due first',
      'of those who are due at the same time the first to come is first run',
      'nobody is first run while somebody more urgent waits in the same queue',
    ],
  },
  {
    mistake: 'a worker waits for a full batch',
    Broken: WaitsForFullBatches,
    broken: ['whenever something waits that the worker can run there is a batch'],
  },
  {
    mistake: 'a bad request is tried for ever',
    Broken: TriesForEver,
    broken: ['a member runs at most twice, and the second time alone'],
  },
  {
    mistake: 'neighbours of a bad request fail with it',
    Broken: NeverTriesAgain,
    broken: ['a failure is final for who ran alone on a good thread or ran before, and for nobody else'],
  },
  {
    mistake: 'the cancelled are still counted',
    Broken: CountsTheCancelled,
    broken: ['queuedRows is the sum over those who wait'],
  },
  {
    mistake: 'one queue is served until it is empty',
    Broken: StarvesQueues,
    broken: ['no queue with work is passed over by more than every other queue once'],
  },
  {
    mistake: 'arrivals are let in only after a batch went out',
    Broken: LetsThemInLate,
    broken: ['a batch takes all that fit: the next one waiting would not'],
  },
  {
    mistake: 'retries are put back behind a batch of others',
    Broken: PutsRetriesBack,
    broken: ['who must run alone goes before everybody else'],
  },
  {
    mistake: 'a worker gets what it cannot run',
    Broken: AsksNobody,
    broken: ['a worker gets only what it can run'],
  },
  {
    mistake: 'retries run last first',
    Broken: RetriesBackwards,
    broken: ['members that failed together are run again in the same order'],
  },
  {
    mistake: 'one who is late is run with the others',
    Broken: RunsTheLate,
    broken: [
      'who cannot be in time alone is dropped instead of run, and within a second of that whoever has little time',
    ],
  },
  {
    mistake: 'the clock stands still',
    Broken: StopsTheClock,
    broken: [
      'a batch of several should end by the earliest of their deadlines',
      'who cannot be in time alone is dropped instead of run, and within a second of that whoever has little time',
    ],
  },
];
