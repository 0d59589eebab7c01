/**
 * Random lives of requests for the tests of the batcher: a script of events is played against it and leaves a trace,
 * which says all that happened. Nothing is judged here.
 */
import fc from 'fast-check';
import { Batcher, type Batch, type FailureCause } from '../../../gateway/batch/batcher.ts';
import { type BatchMember, BatchQueue } from '../../../gateway/batch/batch-queue.ts';
import { CostModel } from '../../../gateway/batch/cost-model.ts';
import { defaultLevel, levelMax } from '../../../gateway/batch/level-queue.ts';
import { type LaneClock, ModelLine } from '../../../gateway/batch/model-line.ts';

/** When a request came and when its answer is due. */
export interface Times {
  readonly arrivedMs: number;
  readonly deadlineMs?: number | undefined;
}

export class Member implements BatchMember {
  readonly id: number;
  readonly home: Queue;
  readonly rows: number;
  readonly level: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number | undefined;
  state: BatchMember['state'] = 'new';
  retried = false;

  constructor(
    id: number,
    home: Queue,
    rows: number,
    level: number = defaultLevel,
    times: Times = { arrivedMs: 0 },
  ) {
    this.id = id;
    this.home = home;
    this.rows = rows;
    this.level = level;
    this.arrivedMs = times.arrivedMs;
    this.deadlineMs = times.deadlineMs;
  }
}

export function lineOf(weight = 1, delayMsMax = 0, allowedRows: readonly number[] = []): ModelLine<Queue> {
  return new ModelLine({ rowsMax: 1, allowedRows, delayMsMax, weight, timeoutMs: undefined });
}

export interface QueueParts {
  readonly line?: ModelLine<Queue>;
  readonly costs?: CostModel;
}

/** With its own limit of rows, a model of its own, and runs that take no time, unless said otherwise. */
export class Queue extends BatchQueue<Member, Queue> {
  readonly #rowsMax: number;

  constructor(rowsMax: number, { line = lineOf(), costs = new CostModel() }: QueueParts = {}) {
    super({ line, costs, runsAlone: false });
    this.#rowsMax = rowsMax;
  }

  override get rowsMax(): number {
    return this.#rowsMax;
  }
}

/** A millisecond for a run and a fifth for each row, whatever runs take. */
export class KnownCosts extends CostModel {
  constructor() {
    super([
      { rows: 1, us: 1200 },
      { rows: 11, us: 3200 },
    ]);
  }

  override learn(): void {
    // Known for good.
  }

  override isFresh(): boolean {
    return true;
  }
}

export type TestBatch = Batch<Queue, Member>;
export type TestBatcher = Batcher<Queue, Member>;

export function unlimited(): TestBatcher {
  return new Batcher({ queueRowsMax: Number.MAX_SAFE_INTEGER });
}

const clocks = new WeakMap<TestBatcher, LaneClock>();

/** What a worker gets that runs what `accepts` names, one clock for all. */
export function nextOf(
  batcher: TestBatcher,
  accepts: (queue: Queue) => boolean = () => true,
  nowMs = 0,
): TestBatch | undefined {
  const clock = clocks.get(batcher) ?? { virtualMs: 0 };
  clocks.set(batcher, clock);
  return batcher.next(nowMs, { accepts, clock });
}

export function sumOfRows(members: readonly Member[]): number {
  return members.reduce((sum, member) => sum + member.rows, 0);
}

type Step =
  | {
      readonly kind: 'arrive';
      readonly queue: number;
      readonly members: readonly {
        readonly rows: number;
        readonly level: number;
        readonly withinMs: number | undefined;
      }[];
    }
  | { readonly kind: 'cancel'; readonly picks: readonly number[] }
  | { readonly kind: 'next'; readonly refused: readonly number[] }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'done'; readonly pick: number }
  | { readonly kind: 'failed'; readonly pick: number; readonly cause: FailureCause };

type TraceEvent =
  | { readonly kind: 'arrived'; readonly member: Member }
  | { readonly kind: 'cancelled'; readonly member: Member; readonly dropped: boolean }
  | {
      readonly kind: 'next';
      readonly batch: TestBatch | undefined;
      readonly accepts: (queue: Queue) => boolean;
      readonly missed: readonly Member[];
      readonly nowMs: number;
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
/** Most set no time; those who do mostly have time for some other runs. */
export const withinMs: fc.Arbitrary<number | undefined> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  fc.integer({ min: 1, max: 40 }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      queue: fc.nat({ max: 3 }),
      members: fc.array(fc.record({ rows: fc.integer({ min: 1, max: 10 }), level, withinMs }), {
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
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 20 }) }),
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
  const line = lineOf();
  const costs = new KnownCosts();
  const queues = rowsMax.map((rows) => new Queue(rows, { line, costs }));
  let nowMs = 0;
  const members: Member[] = [];
  const running: TestBatch[] = [];
  const trace: Traced[] = [];
  const note = (event: TraceEvent): void => {
    trace.push({ ...event, queuedRows: batcher.queuedRows });
  };
  const next = (refusedQueues: readonly number[]): boolean => {
    const accepts = (queue: Queue): boolean => !refusedQueues.includes(queues.indexOf(queue));
    const batch = nextOf(batcher, accepts, nowMs);
    if (batch !== undefined) running.push(batch);
    const missed = batcher.takeMissed();
    note({ kind: 'next', batch, accepts, missed, nowMs });
    return batch !== undefined;
  };
  const takeRunning = (index: number): TestBatch | undefined =>
    running.splice(index % Math.max(1, running.length), 1)[0];

  for (const move of steps) {
    switch (move.kind) {
      case 'arrive':
        for (const wanted of move.members) {
          const home = queues[move.queue % queues.length]!;
          const deadlineMs = wanted.withinMs === undefined ? undefined : nowMs + wanted.withinMs;
          const times = { arrivedMs: nowMs, deadlineMs };
          const member = new Member(members.length, home, wanted.rows, wanted.level, times);
          members.push(member);
          batcher.arrive(home, member);
          note({ kind: 'arrived', member });
        }
        break;
      case 'cancel':
        for (const index of move.picks) {
          const member = members[index % Math.max(1, members.length)];
          if (member !== undefined)
            note({ kind: 'cancelled', member, dropped: batcher.cancel(member.home, member) });
        }
        break;
      case 'next':
        next(move.refused);
        break;
      case 'pass':
        nowMs += move.ms;
        break;
      case 'done': {
        const batch = takeRunning(move.pick);
        if (batch === undefined) break;
        batcher.done(batch, nowMs);
        note({ kind: 'done', batch });
        break;
      }
      case 'failed': {
        const batch = takeRunning(move.pick);
        if (batch === undefined) break;
        const lost = batcher.failed(batch, move.cause, nowMs);
        note({ kind: 'failed', batch, cause: move.cause, lost });
        break;
      }
    }
  }
  // Twice per member is the most that can be asked for; a batcher that never stops giving must not hang the test.
  for (let turns = 0; turns <= 2 * members.length && next([]); turns++);
  for (const batch of running) {
    batcher.done(batch, nowMs);
    note({ kind: 'done', batch });
  }
  return { queues, members, trace };
}
