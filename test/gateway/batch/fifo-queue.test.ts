/**
 * The queue against the plainest queue there is, an array: same items, same order, same length, whatever the order of
 * operations. Bursts are long enough to reach every clean-up of spent slots.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FifoQueue } from '../../../gateway/batch/fifo-queue.ts';

/** A positive burst pushes that many items, a negative one shifts that many, zero peeks. */
const burst = fc.integer({ min: -200, max: 200 });

function filled(count: number): FifoQueue<number> {
  const queue = new FifoQueue<number>();
  for (let item = 0; item < count; item++) queue.push(item);
  return queue;
}

function drain(queue: FifoQueue<number>): number[] {
  const items: number[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
  return items;
}

describe('FifoQueue', () => {
  it('behaves as an array that is pushed and shifted, after every operation', () => {
    fc.assert(
      fc.property(fc.array(burst, { maxLength: 60 }), (bursts) => {
        const queue = new FifoQueue<number>();
        const model: number[] = [];
        let nextItem = 0;
        for (const size of bursts) {
          for (let i = 0; i < size; i++) {
            queue.push(nextItem);
            model.push(nextItem++);
          }
          for (let i = 0; i > size; i--) expect(queue.shift()).toBe(model.shift());
          expect(queue.length).toBe(model.length);
          expect(queue.peek()).toBe(model[0]);
        }
        expect(drain(queue)).toEqual(model);
      }),
    );
  });

  it('gives nothing, and stays empty, when it is shifted while empty', () => {
    const queue = filled(0);
    expect([queue.shift(), queue.peek(), queue.shift(), queue.length]).toEqual([
      undefined,
      undefined,
      undefined,
      0,
    ]);
    queue.push(1);
    expect([queue.length, queue.shift(), queue.length]).toEqual([1, 1, 0]);
  });

  it('shows the item that would leave next without taking it', () => {
    const queue = filled(3);
    expect([queue.peek(), queue.peek(), queue.length, queue.shift()]).toEqual([0, 0, 3, 0]);
  });

  it.each([
    { items: 4, taken: 0, wanted: (item: number) => item >= 0, got: 0, left: [1, 2, 3] },
    { items: 4, taken: 0, wanted: (item: number) => item > 1, got: 2, left: [0, 1, 3] },
    { items: 4, taken: 2, wanted: (item: number) => item > 2, got: 3, left: [2] },
    { items: 4, taken: 2, wanted: (item: number) => item < 2, got: undefined, left: [2, 3] },
    { items: 4, taken: 3, wanted: () => true, got: 3, left: [] },
    { items: 0, taken: 0, wanted: () => true, got: undefined, left: [] },
  ])('takes $got out of $items after $taken left, and leaves $left in order', (row) => {
    const queue = filled(row.items);
    for (let item = 0; item < row.taken; item++) queue.shift();
    expect(queue.take(row.wanted)).toBe(row.got);
    queue.push(99);
    expect(queue.length).toBe(row.left.length + 1);
    expect(drain(queue)).toEqual([...row.left, 99]);
  });

  it.each([
    { items: 10, taken: 0, keep: (item: number) => item % 3 === 0, left: [0, 3, 6, 9] },
    { items: 10, taken: 4, keep: (item: number) => item % 3 === 0, left: [6, 9] },
    { items: 10, taken: 4, keep: () => true, left: [4, 5, 6, 7, 8, 9] },
    { items: 10, taken: 4, keep: () => false, left: [] },
    { items: 0, taken: 0, keep: () => true, left: [] },
  ])('retains $left of $items after $taken left, in order, and goes on from there', (row) => {
    const queue = filled(row.items);
    for (let item = 0; item < row.taken; item++) queue.shift();
    queue.retain(row.keep);
    queue.push(99);
    expect([queue.length, queue.peek()]).toEqual([row.left.length + 1, row.left[0] ?? 99]);
    expect(drain(queue)).toEqual([...row.left, 99]);
  });

  // Around the 64 spent slots from which the array is cleaned up, and around half of the array.
  it.each([
    { items: 1, taken: 1 },
    { items: 63, taken: 62 },
    { items: 64, taken: 63 },
    { items: 127, taken: 64 },
    { items: 128, taken: 64 },
    { items: 128, taken: 65 },
    { items: 1000, taken: 501 },
  ])('keeps order when $taken of $items items left before others came', ({ items, taken }) => {
    const queue = filled(items);
    for (let item = 0; item < taken; item++) expect(queue.shift()).toBe(item);
    queue.push(items);
    expect(queue.length).toBe(items - taken + 1);
    expect(drain(queue)).toEqual(Array.from({ length: items - taken + 1 }, (_, index) => taken + index));
  });
});
