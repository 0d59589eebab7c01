/**
 * Turns between models and the delay of a model: shares of worker time, the wait of a cold model, how long a worker lets
 * requests wait for others.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostModel } from '../../../gateway/batch/cost-model.ts';
import { KnownCosts, lineOf, Member, nextOf, Queue, unlimited } from './random-run.ts';

/** A run of `ms` whatever its rows. */
function always(ms: number): CostModel {
  return new CostModel([
    { rows: 1, us: ms * 1000 },
    { rows: 64, us: ms * 1000 },
  ]);
}

describe('models with work at all times', () => {
  it('have worker time by their weights, whatever their runs take and whatever was foreseen', () => {
    const model = fc.record({
      weight: fc.integer({ min: 1, max: 10 }),
      runMs: fc.double({ min: 1, max: 50, noNaN: true }),
      foreseenMs: fc.double({ min: 1, max: 50, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(model, { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 1, max: 3 }),
        (models, lanes) => {
          const batcher = unlimited();
          const queues = models.map(({ weight, foreseenMs }) => {
            return new Queue(4, { line: lineOf(weight), costs: always(foreseenMs) });
          });
          let id = 0;
          const refill = (queue: Queue): void => {
            while (queue.waiting.length < 8) batcher.arrive(queue, new Member(id++, queue, 1));
          };
          for (const queue of queues) refill(queue);
          const usedMs = models.map(() => 0);
          const longestMs = Math.max(...models.map(({ runMs }) => runMs));
          const running: { readonly endMs: number; readonly end: () => void }[] = [];
          let nowMs = 0;
          // Long enough that one run more or less is a small part of the smallest share.
          while (nowMs < longestMs * 800) {
            while (running.length < lanes) {
              const batch = nextOf(batcher, undefined, nowMs)!;
              const which = queues.indexOf(batch.queue);
              refill(batch.queue);
              const endMs = nowMs + models[which]!.runMs;
              const end = (): void => {
                usedMs[which]! += models[which]!.runMs;
                batcher.done(batch, endMs);
              };
              running.push({ endMs, end });
            }
            running.sort((a, b) => b.endMs - a.endMs);
            const first = running.pop()!;
            nowMs = first.endMs;
            first.end();
          }
          const weights = models.reduce((sum, { weight }) => sum + weight, 0);
          const allMs = usedMs.reduce((sum, ms) => sum + ms, 0);
          for (const [index, { weight }] of models.entries()) {
            // With several lanes a model may have no more than one run on each at the end.
            const slack = (lanes * longestMs * 4) / allMs;
            expect(Math.abs(usedMs[index]! / allMs - weight / weights)).toBeLessThan(0.01 + slack);
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe('a model that was idle', () => {
  it.each([0.1, 5, 80])('waits for no more than the run under way, when its own takes %f ms', (coldMs) => {
    const batcher = unlimited();
    const hot = new Queue(4, { costs: always(20) });
    const cold = new Queue(4, { costs: always(coldMs) });
    let id = 0;
    let nowMs = 0;
    for (let round = 0; round < 200; round++) {
      while (hot.waiting.length < 100) batcher.arrive(hot, new Member(id++, hot, 1));
      const batch = nextOf(batcher, undefined, nowMs)!;
      // It comes in the middle of a run, and not so often that it would have had more than its share.
      const comes = round % 10 === 5;
      if (comes) batcher.arrive(cold, new Member(id++, cold, 1));
      nowMs += batch.queue === cold ? coldMs : 20;
      batcher.done(batch, nowMs);
      if (!comes) continue;
      const next = nextOf(batcher, undefined, nowMs)!;
      expect([round, next.queue === cold]).toEqual([round, true]);
      nowMs += coldMs;
      batcher.done(next, nowMs);
    }
  });

  it('does not get back what it left to others', () => {
    const batcher = unlimited();
    const [busy, late] = [new Queue(1, { costs: always(10) }), new Queue(1, { costs: always(10) })];
    let id = 0;
    let nowMs = 0;
    const serve = (): Queue => {
      const batch = nextOf(batcher, undefined, nowMs)!;
      nowMs += 10;
      batcher.done(batch, nowMs);
      return batch.queue;
    };
    for (let run = 0; run < 500; run++) batcher.arrive(busy, new Member(id++, busy, 1));
    for (let run = 0; run < 100; run++) serve();
    for (let run = 0; run < 100; run++) batcher.arrive(late, new Member(id++, late, 1));
    const served = Array.from({ length: 20 }, serve);
    expect(served.filter((queue) => queue === late).length).toBe(10);
  });
});

describe('a model with a delay', () => {
  const delayed = (costs?: CostModel): Queue =>
    new Queue(4, { line: lineOf(1, 10), ...(costs !== undefined && { costs }) });

  it('lets a worker wait for others until the oldest waited that long', () => {
    const batcher = unlimited();
    const queue = delayed();
    batcher.arrive(queue, new Member(0, queue, 1, 5, { arrivedMs: 100 }));
    batcher.arrive(queue, new Member(1, queue, 1, 5, { arrivedMs: 105 }));
    expect([nextOf(batcher, undefined, 109), batcher.lookAgainMs(109)]).toEqual([undefined, 110]);
    expect(nextOf(batcher, undefined, 110)).toMatchObject({ rows: 2, trigger: 'delay' });
    expect(batcher.lookAgainMs(110)).toBe(Infinity);
  });

  it('lets nobody wait once a batch is full', () => {
    const batcher = unlimited();
    const queue = delayed();
    for (let id = 0; id < 5; id++) batcher.arrive(queue, new Member(id, queue, 1, 5, { arrivedMs: 100 }));
    expect(nextOf(batcher, undefined, 100)).toMatchObject({ rows: 4, trigger: 'full' });
    expect([nextOf(batcher, undefined, 101), batcher.lookAgainMs(101)]).toEqual([undefined, 110]);
  });

  it('never waits past the last moment at which a deadline can be met', () => {
    const batcher = unlimited();
    const queue = delayed(new KnownCosts());
    batcher.arrive(queue, new Member(0, queue, 1, 5, { arrivedMs: 100, deadlineMs: 105 }));
    expect(batcher.lookAgainMs(100)).toBeCloseTo(103.8, 6);
    expect(nextOf(batcher, undefined, 103.7)).toBeUndefined();
    expect(nextOf(batcher, undefined, 103.8)).toMatchObject({ rows: 1 });
  });

  it('keeps no other model waiting', () => {
    const batcher = unlimited();
    const [queue, other] = [delayed(), new Queue(4)];
    batcher.arrive(queue, new Member(0, queue, 1, 5, { arrivedMs: 0 }));
    batcher.arrive(other, new Member(1, other, 1, 5, { arrivedMs: 0 }));
    expect(nextOf(batcher, undefined, 1)?.queue).toBe(other);
    expect([nextOf(batcher, undefined, 1), batcher.lookAgainMs(1)]).toEqual([undefined, 10]);
  });
});

describe('what closed a batch', () => {
  it.each([
    { rows: [1, 1], deadlines: [undefined, undefined], trigger: 'drained' },
    { rows: [2, 2], deadlines: [undefined, undefined], trigger: 'full' },
    { rows: [3, 3], deadlines: [undefined, undefined], trigger: 'full' },
    { rows: [1, 1], deadlines: [1.3, 1.3], trigger: 'slack' },
    { rows: [1, 1], deadlines: [1.5, 1.5], trigger: 'drained' },
  ])('of $rows rows due at $deadlines is $trigger', ({ rows, deadlines, trigger }) => {
    const batcher = unlimited();
    const queue = new Queue(4, { costs: new KnownCosts() });
    for (const [id, count] of rows.entries()) {
      batcher.arrive(queue, new Member(id, queue, count, 5, { arrivedMs: 0, deadlineMs: deadlines[id] }));
    }
    expect(nextOf(batcher)).toMatchObject({ trigger });
  });

  it('is a retry for who runs again', () => {
    const batcher = unlimited();
    const queue = new Queue(4);
    for (const id of [0, 1]) batcher.arrive(queue, new Member(id, queue, 1));
    batcher.failed(nextOf(batcher)!, 'model', 0);
    expect(nextOf(batcher)).toMatchObject({ trigger: 'retry', rows: 1 });
  });
});
