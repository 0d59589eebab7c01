/** The queue of deadlines against a sorted list, whatever is added and taken out. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineQueue, type Due } from '../../../gateway/batch/deadline-queue.ts';

class Item implements Due {
  readonly deadlineMs: number | undefined;
  dueSeat = -1;

  constructor(deadlineMs: number | undefined) {
    this.deadlineMs = deadlineMs;
  }
}

describe('a queue of deadlines', () => {
  it('has nothing due when it is empty', () => {
    const queue = new DeadlineQueue<Item>();
    expect([queue.size, queue.nextMs, queue.takeDue(Infinity)]).toEqual([0, Infinity, undefined]);
  });

  it('gives what is due by now, and keeps the rest', () => {
    const queue = new DeadlineQueue<Item>();
    const items = [30, 10, 20].map((ms) => new Item(ms));
    for (const item of items) queue.add(item);
    expect([queue.takeDue(9), queue.takeDue(20), queue.takeDue(20), queue.takeDue(29)]).toEqual([
      undefined,
      items[1],
      items[2],
      undefined,
    ]);
    expect([queue.size, queue.nextMs]).toEqual([1, 30]);
  });

  it('refuses what is never due and what it has already', () => {
    const queue = new DeadlineQueue<Item>();
    const item = new Item(1);
    queue.add(item);
    expect(() => {
      queue.add(item);
    }).toThrow();
    expect(() => {
      queue.add(new Item(undefined));
    }).toThrow();
  });

  it('agrees with a sorted list after any adds, removals and waits', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.record({ add: fc.nat({ max: 50 }) }) },
        { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
        { weight: 1, arbitrary: fc.record({ now: fc.nat({ max: 50 }) }) },
      ),
      { maxLength: 200, size: 'max' },
    );
    fc.assert(
      fc.property(steps, (moves) => {
        const queue = new DeadlineQueue<Item>();
        const all: Item[] = [];
        let list: Item[] = [];
        for (const move of moves) {
          if ('add' in move) {
            const item = new Item(move.add);
            all.push(item);
            list.push(item);
            queue.add(item);
          } else if ('remove' in move) {
            const item = all[move.remove % Math.max(1, all.length)];
            if (item === undefined) continue;
            queue.remove(item);
            list = list.filter((other) => other !== item);
          } else {
            const due: number[] = [];
            for (let item = queue.takeDue(move.now); item !== undefined; item = queue.takeDue(move.now)) {
              due.push(item.deadlineMs ?? 0);
            }
            const expected = list.filter(({ deadlineMs = 0 }) => deadlineMs <= move.now);
            expect(due).toEqual(expected.map(({ deadlineMs = 0 }) => deadlineMs).toSorted((a, b) => a - b));
            list = list.filter((item) => !expected.includes(item));
          }
          expect(queue.size).toBe(list.length);
          expect(queue.nextMs).toBe(Math.min(Infinity, ...list.map(({ deadlineMs = 0 }) => deadlineMs)));
          expect(all.every((item) => item.dueSeat >= 0 === list.includes(item))).toBe(true);
        }
      }),
    );
  });
});
