/** The forecast of a backlog: what goes before a newcomer, and until everything has been run. */
import { describe, expect, test } from 'vitest';
import { drainMs, forecast, type WorkerGroup } from '../../../gateway/batch/backlog.ts';
import { CostModel } from '../../../gateway/batch/cost-model.ts';
import { lineOf, Member, nextOf, Queue, type TestBatcher, unlimited } from './random-run.ts';

/** Every run takes so long, whatever its rows. */
function always(ms: number): CostModel {
  return new CostModel([
    { rows: 1, us: ms * 1000 },
    { rows: 64, us: ms * 1000 },
  ]);
}

let lastId = 0;
function arrive(batcher: TestBatcher, queue: Queue, count: number, rows = 1): void {
  for (let index = 0; index < count; index++) batcher.arrive(queue, new Member(lastId++, queue, rows));
}

const oneLane: WorkerGroup<Queue> = { accepts: () => true, lanes: 1 };
const twoLanes: WorkerGroup<Queue> = { accepts: () => true, lanes: 2 };

function forecastOf(batcher: TestBatcher, queue: Queue, workers = oneLane, nowMs = 0) {
  const { level } = new Member(-1, queue, 1);
  return forecast(batcher, { queue, rows: 1, level, dueMs: Infinity }, { workers, nowMs });
}

describe('a newcomer', () => {
  test('who meets nobody waits for nothing and rides one run', () => {
    const queue = new Queue(4, { costs: always(10) });
    expect(forecastOf(unlimited(), queue)).toEqual({ waitMs: 0, rideMs: 10, answerMs: 0 });
  });

  test('waits for the full batches of its own queue, and rides with what does not fill one', () => {
    const batcher = unlimited();
    const queue = new Queue(4, { costs: always(10) });
    arrive(batcher, queue, 9);
    expect(forecastOf(batcher, queue)).toEqual({ waitMs: 20, rideMs: 10, answerMs: 0 });
    // Two lanes share what goes before it; the run that it rides is one run all the same.
    expect(forecastOf(batcher, queue, twoLanes)).toEqual({ waitMs: 10, rideMs: 10, answerMs: 0 });
  });

  test('is answered with those who ride with it, as late as such answers were lately', () => {
    const batcher = unlimited();
    const queue = new Queue(8, { costs: always(10) });
    arrive(batcher, queue, 8);
    const batch = nextOf(batcher);
    if (batch === undefined) throw new Error('nothing was run');
    batcher.done(batch, 10);
    batcher.answered(batch, 4, 14);
    arrive(batcher, queue, 3);
    expect(forecastOf(batcher, queue, oneLane, 14)).toMatchObject({ rideMs: 10, answerMs: 4 });
  });

  test('goes before those of a lower level and after those of a higher one', () => {
    const batcher = unlimited();
    const queue = new Queue(1, { costs: always(10) });
    arrive(batcher, queue, 3);
    const { level } = new Member(-1, queue, 1);
    const at = (own: number): number =>
      forecast(batcher, { queue, rows: 1, level: own, dueMs: Infinity }, { workers: oneLane, nowMs: 0 })
        .waitMs;
    expect([at(level - 1), at(level), at(level + 1)].sort((a, b) => a - b)).toEqual([0, 30, 30]);
  });

  test('of another model waits for no more of its work than that model has a right to meanwhile', () => {
    const batcher = unlimited();
    const [small, large] = [new Queue(1, { costs: always(10) }), new Queue(1, { costs: always(10) })];
    arrive(batcher, large, 100);
    // As much as its own time, 10 ms: they have the same weight.
    expect(forecastOf(batcher, small).waitMs).toBe(10);
    const heavy = new Queue(1, { line: lineOf(3), costs: always(10) });
    arrive(batcher, heavy, 100);
    expect(forecastOf(batcher, small).waitMs).toBe(10 + 30);
  });

  test('waits for what is left of the runs under way, but not while a worker is free', () => {
    const batcher = unlimited();
    const queue = new Queue(1, { costs: always(10) });
    arrive(batcher, queue, 1);
    expect(nextOf(batcher)).toBeDefined();
    expect(forecastOf(batcher, queue, oneLane, 4).waitMs).toBe(6);
    expect(forecastOf(batcher, queue, oneLane, 25).waitMs).toBe(0);
    expect(forecastOf(batcher, queue, twoLanes, 4).waitMs).toBe(0);
  });
});

describe('all that waits', () => {
  test('is gone when every batch of every model has been run, by as many as there are', () => {
    const batcher = unlimited();
    const [left, right] = [new Queue(4, { costs: always(10) }), new Queue(1, { costs: always(5) })];
    expect(drainMs(batcher, oneLane, 0)).toBe(0);
    arrive(batcher, left, 9);
    arrive(batcher, right, 2);
    expect(drainMs(batcher, oneLane, 0)).toBe(3 * 10 + 2 * 5);
    expect(drainMs(batcher, twoLanes, 0)).toBe(20);
  });

  test('is only what these workers can run', () => {
    const batcher = unlimited();
    const [left, right] = [new Queue(1, { costs: always(10) }), new Queue(1, { costs: always(5) })];
    arrive(batcher, left, 1);
    arrive(batcher, right, 1);
    expect(drainMs(batcher, { accepts: (queue) => queue === right, lanes: 1 }, 0)).toBe(5);
  });
});
