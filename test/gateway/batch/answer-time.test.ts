/**
 * A deadline is that of the answer, not of the run: what lies between a run's end and its callers is learned, and batches are
 * cut, held and given up so that there is time left for it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostModel, rememberedRuns } from '../../../gateway/batch/cost-model.ts';
import { KnownCosts, lineOf, Member, nextOf, Queue, type TestBatcher, unlimited } from './random-run.ts';

/** Runs of `rows` rows take 1 + rows / 5 milliseconds, their answers `answerMs` a row. */
function queueWith(answerMs: number, line = lineOf()): Queue {
  const queue = new Queue(64, { line, costs: new KnownCosts() });
  for (let run = 0; run < rememberedRuns; run++) {
    for (const rows of [1, 64]) queue.answerCosts.learn(rows, rows * answerMs, 0);
  }
  return queue;
}

function arrive(batcher: TestBatcher, queue: Queue, count: number, deadlineMs: number): void {
  for (let id = 0; id < count; id++) {
    batcher.arrive(queue, new Member(id, queue, 1, undefined, { arrivedMs: 0, deadlineMs }));
  }
}

describe('time for the answers', () => {
  it('is learned from batches that were answered, and by their rows', () => {
    const batcher = unlimited();
    const queue = new Queue(64, { costs: new KnownCosts() });
    arrive(batcher, queue, 10, 1000);
    const batch = nextOf(batcher);
    if (batch === undefined) throw new Error('nothing was run');
    expect(queue.carefulMs(10, 0)).toBeCloseTo(3, 6);
    batcher.done(batch, 3);
    batcher.answered(batch, 5, 8);
    expect([queue.typicalMs(10, 8), queue.carefulMs(10, 8), queue.carefulMs(2, 8)]).toEqual([
      expect.closeTo(8, 6),
      expect.closeTo(8, 6),
      // Fewer rows than ever ran take no longer than those.
      expect.closeTo(1.4 + 5, 6),
    ]);
    // The worker is free while they are written: forecasts of waiting do not count it.
    expect(queue.costs.typicalMs(10, 8)).toBeCloseTo(3, 6);
  });

  it.each([
    { answerMs: 0, rows: 45 },
    { answerMs: 0.3, rows: 18 },
    { answerMs: 4, rows: 2 },
  ])('of $answerMs ms a row leaves $rows rows to a batch of 10 ms', ({ answerMs, rows }) => {
    const batcher = unlimited();
    const queue = queueWith(answerMs);
    arrive(batcher, queue, 64, 10.001);
    expect(nextOf(batcher)).toMatchObject({ rows, trigger: 'slack' });
  });

  it('is no less than what it takes alone: who cannot be answered in time is not run', () => {
    const batcher = unlimited();
    const queue = queueWith(4);
    arrive(batcher, queue, 1, 5);
    expect(nextOf(batcher)).toBeUndefined();
    expect(batcher.takeMissed()).toHaveLength(1);
    arrive(batcher, queue, 1, 5.3);
    expect(nextOf(batcher)).toMatchObject({ rows: 1 });
  });

  it('ends the wait for more rows earlier', () => {
    for (const answerMs of [0, 4]) {
      const batcher = unlimited();
      const queue = queueWith(answerMs, lineOf(1, 1000));
      arrive(batcher, queue, 1, 100);
      expect(queue.heldUntilMs(0)).toBeCloseTo(100 - 1.2 - answerMs, 6);
    }
  });

  it('is in the most rows that fit a time, for every cost and limit', () => {
    const perRow = fc.constantFrom(0, 0.0001, 0.05, 2);
    const time = fc.double({ min: 0, max: 500, noNaN: true });
    fc.assert(
      fc.property(
        perRow,
        perRow,
        fc.integer({ min: 1, max: 256 }),
        time,
        (run, answer, rowsMax, budgetMs) => {
          const queue = new Queue(rowsMax, { costs: new CostModel() });
          for (const rows of [1, 16, 256]) {
            queue.costs.learn(rows, 1 + rows * run, 0);
            queue.answerCosts.learn(rows, rows * answer, 0);
          }
          const rows = queue.rowsWithin(budgetMs, 0);
          if (rows > 0) expect(queue.carefulMs(rows, 0)).toBeLessThanOrEqual(budgetMs);
          if (rows < rowsMax) expect(queue.carefulMs(rows + 1, 0)).toBeGreaterThan(budgetMs);
        },
      ),
    );
  });
});
