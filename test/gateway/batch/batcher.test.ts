/**
 * The batcher case by case: forming a batch, room, failures, cancelled members, illegal events. What holds for every
 * order of events is in batcher-laws.test.ts and batcher-model.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { Batcher, type FailureCause } from '../../../gateway/batch/batcher.ts';
import { Member, Queue, type TestBatch, type TestBatcher, unlimited, nextOf } from './random-run.ts';

/** A queue with members of the given rows, waiting. */
function waitingLine(
  rowsMax: number,
  rows: readonly number[],
): { readonly batcher: TestBatcher; readonly queue: Queue; readonly members: readonly Member[] } {
  const batcher = unlimited();
  const queue = new Queue(rowsMax);
  const members = rows.map((count, id) => new Member(id, queue, count));
  for (const member of members) batcher.arrive(queue, member);
  return { batcher, queue, members };
}

function idsOf(batch: TestBatch | undefined): number[] | undefined {
  return batch?.members.map((member) => member.id);
}

describe('forming a batch', () => {
  it.each([
    { rowsMax: 8, rows: [1, 1, 1], batches: [[0, 1, 2]], why: 'joins all that fit' },
    { rowsMax: 3, rows: [1, 1, 1], batches: [[0, 1, 2]], why: 'fills up to exactly the limit' },
    { rowsMax: 2, rows: [1, 1, 1], batches: [[0, 1], [2]], why: 'leaves the rest for the next batch' },
    { rowsMax: 4, rows: [9, 1], batches: [[0], [1]], why: 'runs one that is larger than the limit alone' },
    {
      rowsMax: 4,
      rows: [1, 9, 1],
      batches: [[0], [1], [2]],
      why: 'does not let a small one pass a large one',
    },
    { rowsMax: 1, rows: [1, 1], batches: [[0], [1]], why: 'joins nobody where one row is the limit' },
    { rowsMax: 1, rows: [7, 7], batches: [[0], [1]], why: 'runs whatever size one at a time at limit 1' },
  ])('$why: rows $rows at most $rowsMax', ({ rowsMax, rows, batches }) => {
    const { batcher } = waitingLine(rowsMax, rows);
    expect(batches.map(() => idsOf(nextOf(batcher)))).toEqual(batches);
    expect(nextOf(batcher)).toBeUndefined();
  });

  it('says which queue the batch is of and how many rows it has', () => {
    const { batcher, queue } = waitingLine(8, [2, 3]);
    expect(nextOf(batcher)).toMatchObject({ queue, rows: 5 });
  });

  it('gives queues one batch each in turn, and a queue that comes back goes to the end', () => {
    const batcher = unlimited();
    const [a, b, c] = [new Queue(1), new Queue(1), new Queue(1)];
    for (const [id, queue] of [a, a, a, b, b, c].entries()) batcher.arrive(queue, new Member(id, queue, 1));
    const order = Array.from({ length: 6 }, () => idsOf(nextOf(batcher))?.[0]);
    expect(order).toEqual([0, 3, 5, 1, 4, 2]);
  });

  it('skips cancelled members and queues in which everybody was cancelled', () => {
    const batcher = unlimited();
    const [gone, kept] = [new Queue(4), new Queue(4)];
    const members = [gone, gone, kept, kept, kept].map((queue, id) => new Member(id, queue, 1));
    for (const member of members) batcher.arrive(member.home, member);
    for (const index of [0, 1, 3]) expect(batcher.cancel(members[index]!.home, members[index]!)).toBe(true);
    expect(batcher.queuedRows).toBe(2);
    expect(idsOf(nextOf(batcher))).toEqual([2, 4]);
    expect(nextOf(batcher)).toBeUndefined();
  });

  it('takes new arrivals of a queue that ran empty', () => {
    const { batcher, queue } = waitingLine(4, [1]);
    nextOf(batcher);
    expect(nextOf(batcher)).toBeUndefined();
    batcher.arrive(queue, new Member(7, queue, 1));
    expect(idsOf(nextOf(batcher))).toEqual([7]);
  });
});

describe('a worker that cannot run every queue', () => {
  const one = (queue: Queue) => (other: Queue) => other === queue;

  it('gets a batch of what it can run, or nothing', () => {
    const batcher = unlimited();
    const [a, b, c] = [new Queue(2), new Queue(2), new Queue(2)];
    for (const [id, queue] of [a, b, b].entries()) batcher.arrive(queue, new Member(id, queue, 1));
    expect([idsOf(nextOf(batcher, one(b))), nextOf(batcher, one(b)), nextOf(batcher, one(c))]).toEqual([
      [1, 2],
      undefined,
      undefined,
    ]);
    expect(idsOf(nextOf(batcher))).toEqual([0]);
  });

  it('takes no turn from the queues it skips, however often it comes', () => {
    const batcher = unlimited();
    const [a, quick, b] = [new Queue(1), new Queue(1), new Queue(1)];
    for (let id = 0; id < 12; id++) {
      const queue = [a, quick, b][id % 3]!;
      batcher.arrive(queue, new Member(id, queue, 1));
    }
    const order: (number | undefined)[] = [];
    for (let turn = 0; turn < 4; turn++) {
      nextOf(batcher, one(quick));
      order.push(idsOf(nextOf(batcher, (queue) => queue !== quick))?.[0]);
    }
    expect(order).toEqual([0, 2, 3, 5]);
  });

  it('leaves those who must run alone in their order', () => {
    const batcher = unlimited();
    const [a, b] = [new Queue(4), new Queue(4)];
    for (const [id, queue] of [a, a, b, b].entries()) batcher.arrive(queue, new Member(id, queue, 1));
    const [first, second] = [nextOf(batcher)!, nextOf(batcher)!];
    batcher.failed(first, 'worker', 0);
    batcher.failed(second, 'worker', 0);
    const order = [nextOf(batcher, one(b)), nextOf(batcher), nextOf(batcher), nextOf(batcher)].map(idsOf);
    expect(order).toEqual([[2], [0], [1], [3]]);
  });
});

describe('room', () => {
  it.each([
    { waiting: 0, more: 10, room: true },
    { waiting: 0, more: 11, room: false },
    { waiting: 6, more: 4, room: true },
    { waiting: 6, more: 5, room: false },
    { waiting: 10, more: 0, room: true },
    { waiting: 10, more: 1, room: false },
  ])('for $more rows when $waiting of 10 wait is $room', ({ waiting, more, room }) => {
    const batcher: TestBatcher = new Batcher({ queueRowsMax: 10 });
    const queue = new Queue(100);
    if (waiting > 0) batcher.arrive(queue, new Member(0, queue, waiting));
    expect(batcher.hasRoomFor(more)).toBe(room);
  });

  it.each<{ readonly how: string; readonly free: (batcher: TestBatcher, member: Member) => unknown }>([
    { how: 'a member runs', free: (batcher) => nextOf(batcher) },
    { how: 'a member is cancelled', free: (batcher, member) => batcher.cancel(member.home, member) },
  ])('is given back as soon as $how', ({ free }) => {
    const batcher: TestBatcher = new Batcher({ queueRowsMax: 4 });
    const queue = new Queue(4);
    const member = new Member(0, queue, 4);
    batcher.arrive(queue, member);
    expect(batcher.hasRoomFor(1)).toBe(false);
    free(batcher, member);
    expect(batcher.hasRoomFor(4)).toBe(true);
  });

  it('may be exceeded by members that wait again, and by nobody else meanwhile', () => {
    const batcher: TestBatcher = new Batcher({ queueRowsMax: 2 });
    const queue = new Queue(4);
    for (const id of [0, 1]) batcher.arrive(queue, new Member(id, queue, 1));
    const batch = nextOf(batcher)!;
    for (const id of [2, 3]) batcher.arrive(queue, new Member(id, queue, 1));
    batcher.failed(batch, 'model', 0);
    expect(batcher.queuedRows).toBe(4);
    expect(batcher.hasRoomFor(1)).toBe(false);
  });
});

describe('a failed batch', () => {
  it('is tried again member by member, in order, before anybody who came meanwhile', () => {
    const { batcher, queue } = waitingLine(8, [1, 2, 1]);
    const batch = nextOf(batcher)!;
    batcher.arrive(queue, new Member(9, queue, 1));
    expect(batcher.failed(batch, 'model', 0)).toEqual([]);
    const order = Array.from({ length: 5 }, () => idsOf(nextOf(batcher)));
    expect(order).toEqual([[0], [1], [2], [9], undefined]);
  });

  it.each<{ readonly cause: FailureCause; readonly members: number; readonly again: boolean }>([
    { cause: 'model', members: 1, again: false },
    { cause: 'model', members: 2, again: true },
    { cause: 'worker', members: 1, again: true },
    { cause: 'worker', members: 2, again: true },
  ])('of $members by the $cause runs its members again: $again', ({ cause: how, members: count, again }) => {
    const { batcher, members } = waitingLine(8, Array<number>(count).fill(1));
    expect(batcher.failed(nextOf(batcher)!, how, 0)).toEqual(again ? [] : members);
    expect(batcher.queuedRows).toBe(again ? count : 0);
  });

  it.each<FailureCause>(['model', 'worker'])('is not tried a third time when the %s fails again', (how) => {
    const { batcher, members } = waitingLine(8, [1, 1]);
    batcher.failed(nextOf(batcher)!, how, 0);
    expect(batcher.failed(nextOf(batcher)!, how, 0)).toEqual([members[0]]);
    expect(batcher.failed(nextOf(batcher)!, how, 0)).toEqual([members[1]]);
    expect(nextOf(batcher)).toBeUndefined();
  });

  it('does not run members again that were cancelled before their second turn', () => {
    const { batcher, members } = waitingLine(8, [1, 1, 1]);
    batcher.failed(nextOf(batcher)!, 'model', 0);
    expect(batcher.cancel(members[1]!.home, members[1]!)).toBe(true);
    expect([idsOf(nextOf(batcher)), idsOf(nextOf(batcher)), nextOf(batcher)]).toEqual([[0], [2], undefined]);
  });
});

describe('cancelled members', () => {
  it('do not pile up in the queues of clients who come and go while no worker is free', () => {
    const batcher = unlimited();
    const queue = new Queue(4);
    const staying = new Member(-1, queue, 3);
    batcher.arrive(queue, staying);
    for (let id = 0; id < 10_000; id++) {
      const member = new Member(id, queue, 1);
      batcher.arrive(queue, member);
      batcher.cancel(member.home, member);
    }
    expect(queue.waiting.length).toBeLessThan(100);
    expect(batcher.queuedRows).toBe(3);
    expect([idsOf(nextOf(batcher)), nextOf(batcher)]).toEqual([[-1], undefined]);
  });

  it('are taken out of every queue, and leave order and turns as they were', () => {
    const batcher = unlimited();
    const queues = [new Queue(8), new Queue(8), new Queue(8)];
    const members = Array.from({ length: 300 }, (_, id) => new Member(id, queues[id % 3]!, 1));
    for (const member of members) batcher.arrive(member.home, member);
    // The first batch, 0 3 6 ... 21, fails and waits again, member by member.
    batcher.failed(nextOf(batcher)!, 'model', 0);
    const kept = new Set([3, 21, 24, 27, 2, 299]);
    for (const member of members) if (!kept.has(member.id)) batcher.cancel(member.home, member);
    expect(queues.reduce((sum, queue) => sum + queue.waiting.length, 0)).toBeLessThan(80);
    const order = Array.from({ length: 5 }, () => idsOf(nextOf(batcher)));
    expect(order).toEqual([[3], [21], [2, 299], [24, 27], undefined]);
  });

  it('let a queue that was swept empty go, and take arrivals again', () => {
    const batcher = unlimited();
    const queue = new Queue(4);
    const members = Array.from({ length: 128 }, (_, id) => new Member(id, queue, 1));
    for (const member of members) batcher.arrive(queue, member);
    for (const member of members) batcher.cancel(member.home, member);
    expect([queue.waiting.length, queue.inLine]).toEqual([0, false]);
    batcher.arrive(queue, new Member(128, queue, 1));
    expect([idsOf(nextOf(batcher)), nextOf(batcher)]).toEqual([[128], undefined]);
  });
});

describe('illegal events', () => {
  it.each<{ readonly state: string; readonly reach: (batcher: TestBatcher, member: Member) => void }>([
    { state: 'waiting', reach: () => undefined },
    {
      state: 'running',
      reach: (batcher) => {
        nextOf(batcher);
      },
    },
    {
      state: 'settled',
      reach: (batcher, member) => {
        batcher.cancel(member.home, member);
      },
    },
  ])('a $state member cannot arrive again', ({ state, reach }) => {
    const { batcher, queue, members } = waitingLine(4, [1]);
    reach(batcher, members[0]!);
    expect(() => {
      batcher.arrive(queue, members[0]!);
    }).toThrow(state);
  });

  it.each<{ readonly first: string; readonly end: (batcher: TestBatcher, batch: TestBatch) => unknown }>([
    {
      first: 'was answered',
      end: (batcher, batch) => {
        batcher.done(batch, 0);
      },
    },
    { first: 'failed', end: (batcher, batch) => batcher.failed(batch, 'model', 0) },
  ])('a batch that $first can neither be answered nor fail after that', ({ end }) => {
    const { batcher } = waitingLine(4, [1, 1]);
    const batch = nextOf(batcher)!;
    end(batcher, batch);
    expect(() => {
      batcher.done(batch, 0);
    }).toThrow('cannot stop running');
    expect(() => batcher.failed(batch, 'worker', 0)).toThrow('cannot stop running');
  });

  it('cancelling is told apart from being too late, and a second time changes nothing', () => {
    const { batcher, members } = waitingLine(1, [3, 3]);
    const batch = nextOf(batcher)!;
    expect(members.map((member) => batcher.cancel(member.home, member))).toEqual([false, true]);
    expect(members.map((member) => batcher.cancel(member.home, member))).toEqual([false, false]);
    batcher.done(batch, 0);
    expect(batcher.cancel(members[0]!.home, members[0]!)).toBe(false);
    expect(batcher.queuedRows).toBe(0);
  });
});
