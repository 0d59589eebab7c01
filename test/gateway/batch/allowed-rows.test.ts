/** Batches of allowed sizes: cut down to the largest that is not more than what waits, the rest goes next. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelLine } from '../../../gateway/batch/model-line.ts';
import { KnownCosts, lineOf, Member, nextOf, Queue, type TestBatch, unlimited } from './random-run.ts';

function lineAllowing(allowedRows: readonly number[], delayMsMax = 0): ModelLine<Queue> {
  return lineOf(1, delayMsMax, allowedRows);
}

/** All batches that a free worker is given of requests with these rows, which came together. */
function batchesOf(
  rows: readonly number[],
  { rowsMax, allowed }: { readonly rowsMax: number; readonly allowed: readonly number[] },
): TestBatch[] {
  const batcher = unlimited();
  const queue = new Queue(rowsMax, { line: lineAllowing(allowed) });
  for (const [id, count] of rows.entries()) batcher.arrive(queue, new Member(id, queue, count));
  const batches: TestBatch[] = [];
  for (let batch = nextOf(batcher); batch !== undefined; batch = nextOf(batcher)) batches.push(batch);
  expect(batches.flatMap(({ members }) => members.map(({ id }) => id))).toEqual([...rows.keys()]);
  return batches;
}

const sizes = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });
const ascending = sizes.map((some) => some.toSorted((a, b) => a - b));
const rowsMax = fc.integer({ min: 1, max: 40 });

/** What the size of the next batch should be when requests have one row each. */
function sizeFor(waiting: number, allowed: readonly number[], most: number): number {
  const there = Math.min(waiting, most);
  return allowed.filter((size) => size <= there).at(-1) ?? there;
}

describe('batches of allowed sizes', () => {
  it.each([
    { waiting: 20, allowed: [4, 16], sizes: [16, 4], triggers: ['size', 'drained'] },
    { waiting: 5, allowed: [1, 4], sizes: [4, 1], triggers: ['size', 'drained'] },
    { waiting: 3, allowed: [4, 16], sizes: [3], triggers: ['drained'] },
    { waiting: 40, allowed: [32, 64], sizes: [32, 8], triggers: ['full', 'drained'] },
    { waiting: 7, allowed: [], sizes: [7], triggers: ['drained'] },
  ])('$waiting rows, $allowed allowed: runs of $sizes', ({ waiting, allowed, sizes: wanted, triggers }) => {
    const batches = batchesOf(Array<number>(waiting).fill(1), { rowsMax: 32, allowed });
    expect(batches.map(({ rows }) => rows)).toEqual(wanted);
    expect(batches.map(({ trigger }) => trigger)).toEqual(triggers);
  });

  it('are the largest that is not more than what waits, over and over, and lose nobody', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200 }), ascending, rowsMax, (waiting, allowed, most) => {
        let left = waiting;
        for (const { rows } of batchesOf(Array<number>(waiting).fill(1), { rowsMax: most, allowed })) {
          expect(rows).toBe(sizeFor(left, allowed, most));
          left -= rows;
        }
        expect(left).toBe(0);
      }),
    );
  });

  it('never split a request: of larger ones as many as come closest from below, or one', () => {
    const rows = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 });
    fc.assert(
      fc.property(rows, ascending, rowsMax, (all, allowed, most) => {
        let left = all.reduce((sum, count) => sum + count, 0);
        let from = 0;
        for (const batch of batchesOf(all, { rowsMax: most, allowed })) {
          const wanted = sizeFor(left, allowed, most);
          from += batch.members.length;
          if (batch.members.length > 1) expect(batch.rows).toBeLessThanOrEqual(wanted);
          // Who comes next did not fit any more.
          if (from < all.length) expect(batch.rows + (all[from] ?? 0)).toBeGreaterThan(wanted);
          left -= batch.rows;
        }
      }),
    );
  });

  it('may be smaller for a deadline, and are of an allowed size then too', () => {
    const batcher = unlimited();
    const queue = new Queue(64, { line: lineAllowing([1, 4, 16, 64]), costs: new KnownCosts() });
    // A run of 16 rows takes 4.2 ms, one of 20 takes 5.
    for (let id = 0; id < 64; id++) {
      batcher.arrive(queue, new Member(id, queue, 1, undefined, { arrivedMs: 0, deadlineMs: 5 }));
    }
    expect(nextOf(batcher)).toMatchObject({ rows: 16, trigger: 'size' });
  });

  it('are not waited for when the largest is there already, whatever the delay', () => {
    const batcher = unlimited();
    const queue = new Queue(64, { line: lineAllowing([4], 10) });
    for (let id = 0; id < 3; id++) batcher.arrive(queue, new Member(id, queue, 1));
    expect(nextOf(batcher)).toBeUndefined();
    batcher.arrive(queue, new Member(3, queue, 1));
    expect(nextOf(batcher)).toMatchObject({ rows: 4 });
  });
});
