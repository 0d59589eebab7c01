/**
 * Random lives of requests for the tests of the batcher: a script of events is played against it and leaves a trace,
 * which says all that happened. Nothing is judged here.
 */
import fc from 'fast-check';
import {
  Batcher,
  type Batch,
  type BatchMember,
  BatchQueue,
  type FailureCause,
} from '../../../gateway/batch/batcher.ts';
import { defaultLevel, levelMax } from '../../../gateway/batch/level-queue.ts';

export class Member implements BatchMember {
  readonly id: number;
  readonly home: Queue;
  readonly rows: number;
  readonly level: number;
  state: BatchMember['state'] = 'new';
  retried = false;

  constructor(id: number, home: Queue, rows: number, level: number = defaultLevel) {
    this.id = id;
    this.home = home;
    this.rows = rows;
    this.level = level;
  }
}

export class Queue extends BatchQueue<Member> {}

export type TestBatch = Batch<Queue, Member>;
export type TestBatcher = Batcher<Queue, Member>;

export function unlimited(): TestBatcher {
  return new Batcher({ queueRowsMax: Number.MAX_SAFE_INTEGER });
}

export function sumOfRows(members: readonly Member[]): number {
  return members.reduce((sum, member) => sum + member.rows, 0);
}

type Step =
  | {
      readonly kind: 'arrive';
      readonly queue: number;
      readonly members: readonly { readonly rows: number; readonly level: number }[];
    }
  | { readonly kind: 'cancel'; readonly picks: readonly number[] }
  | { readonly kind: 'next'; readonly refused: readonly number[] }
  | { readonly kind: 'done'; readonly pick: number }
  | { readonly kind: 'failed'; readonly pick: number; readonly cause: FailureCause };

type TraceEvent =
  | { readonly kind: 'arrived'; readonly member: Member }
  | { readonly kind: 'cancelled'; readonly member: Member; readonly dropped: boolean }
  | {
      readonly kind: 'next';
      readonly batch: TestBatch | undefined;
      readonly accepts: (queue: Queue) => boolean;
    }
  | { readonly kind: 'done'; readonly batch: TestBatch }
  | {
      readonly kind: 'failed';
      readonly batch: TestBatch;
      readonly cause: FailureCause;
      readonly lost: readonly Member[];
    };

/** `queuedRows` is what the batcher said right after the event. */
export type Traced = TraceEvent & { readonly queuedRows: number };

/** What happened, in order, and to whom. */
export interface Run {
  readonly queues: readonly Queue[];
  readonly members: readonly Member[];
  readonly trace: readonly Traced[];
}

export interface Script {
  readonly rowsMax: readonly number[];
  readonly steps: readonly Step[];
}

export const pick = fc.nat({ max: 1000 });
/** Most say nothing about their priority. */
export const level: fc.Arbitrary<number> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(defaultLevel) },
  fc.integer({ min: 1, max: levelMax }),
);
export const cause = fc.constantFrom<FailureCause>('model', 'worker');
/** Queues, by index, that the free worker cannot run; mostly none. */
const refused = fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.subarray([0, 1, 2, 3]));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      queue: fc.nat({ max: 3 }),
      members: fc.array(fc.record({ rows: fc.integer({ min: 1, max: 10 }), level }), {
        minLength: 1,
        maxLength: 8,
      }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('next' as const), refused }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cancel' as const),
      picks: fc.array(pick, { minLength: 1, maxLength: 60 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('done' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failed' as const), pick, cause }) },
);

export const script: fc.Arbitrary<Script> = fc.record({
  rowsMax: fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 4 }),
  steps: fc.array(step, { maxLength: 120, size: 'max' }),
});

/** Plays a script and then drains: all that still waits is run and answered, so that laws about the end can be stated. */
export function play(batcher: TestBatcher, { rowsMax, steps }: Script): Run {
  const queues = rowsMax.map((rows) => new Queue(rows));
  const members: Member[] = [];
  const running: TestBatch[] = [];
  const trace: Traced[] = [];
  const note = (event: TraceEvent): void => {
    trace.push({ ...event, queuedRows: batcher.queuedRows });
  };
  const next = (refusedQueues: readonly number[]): boolean => {
    const accepts = (queue: Queue): boolean => !refusedQueues.includes(queues.indexOf(queue));
    const batch = batcher.next(accepts);
    if (batch !== undefined) running.push(batch);
    note({ kind: 'next', batch, accepts });
    return batch !== undefined;
  };
  const takeRunning = (index: number): TestBatch | undefined =>
    running.splice(index % Math.max(1, running.length), 1)[0];

  for (const move of steps) {
    switch (move.kind) {
      case 'arrive':
        for (const wanted of move.members) {
          const home = queues[move.queue % queues.length]!;
          const member = new Member(members.length, home, wanted.rows, wanted.level);
          members.push(member);
          batcher.arrive(home, member);
          note({ kind: 'arrived', member });
        }
        break;
      case 'cancel':
        for (const index of move.picks) {
          const member = members[index % Math.max(1, members.length)];
          if (member !== undefined) note({ kind: 'cancelled', member, dropped: batcher.cancel(member) });
        }
        break;
      case 'next':
        next(move.refused);
        break;
      case 'done': {
        const batch = takeRunning(move.pick);
        if (batch === undefined) break;
        batcher.done(batch);
        note({ kind: 'done', batch });
        break;
      }
      case 'failed': {
        const batch = takeRunning(move.pick);
        if (batch === undefined) break;
        const lost = batcher.failed(batch, move.cause);
        note({ kind: 'failed', batch, cause: move.cause, lost });
        break;
      }
    }
  }
  // Twice per member is the most that can be asked for; a batcher that never stops giving must not hang the test.
  for (let turns = 0; turns <= 2 * members.length && next([]); turns++);
  for (const batch of running) {
    batcher.done(batch);
    note({ kind: 'done', batch });
  }
  return { queues, members, trace };
}
