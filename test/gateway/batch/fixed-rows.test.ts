/**
 * Batches of a model whose runs have a fixed number of rows: as many as there are up to that, whatever else is preferred, and
 * all of them cost the same.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchQueue } from '../../../gateway/batch/batch-queue.ts';
import { CostModel } from '../../../gateway/batch/cost-model.ts';
import { ModelLine } from '../../../gateway/batch/model-line.ts';
import { type Member, Member as TestMember, nextOf, Queue, unlimited, lineOf } from './random-run.ts';

function queueOf({
  rowsMax = 64,
  allowedRows = [] as readonly number[],
  runsAlone = false,
  costs = new CostModel([], 8),
} = {}): BatchQueue<Member, unknown> {
  const tuning = { rowsMax, allowedRows, delayMsMax: 0, weight: 1, timeoutMs: undefined };
  const line = new ModelLine<unknown>(tuning);
  return new BatchQueue<Member, unknown>({ line, costs, runsAlone });
}

describe('a queue of runs of 8 rows', () => {
  it('is filled up to 8, or to what its deployment and the gateway allow', () => {
    expect(queueOf().rowsMax).toBe(8);
    expect(queueOf({ rowsMax: 4 }).rowsMax).toBe(4);
    expect(queueOf({ runsAlone: true }).rowsMax).toBe(1);
  });

  it('takes all that wait, whatever sizes are preferred: another size would not be run quicker', () => {
    const queue = queueOf({ allowedRows: [1, 4] });
    expect([1, 3, 7, 8, 20].map((available) => queue.rowsFor(available))).toEqual([1, 3, 7, 8, 8]);
  });
});

describe('what such a run takes', () => {
  const costs = (): CostModel => new CostModel([{ rows: 8, us: 4000 }], 8);

  it('is the same for every number of rows up to 8, and twice as much beyond', () => {
    for (const rows of [1, 2, 7, 8]) expect(costs().typicalMs(rows, 0)).toBe(4);
    for (const rows of [9, 16]) expect(costs().typicalMs(rows, 0)).toBe(8);
    expect(costs().workMs(17, 8, 0)).toBe(12);
    expect(costs().workMs(9, 4, 0)).toBe(12);
  });

  it('is learned for all of them from a run of any', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 5, maxLength: 30 }), (runs) => {
        const learning = costs();
        for (const [index, rows] of runs.entries()) learning.learn(rows, 10, index);
        for (const rows of [1, 5, 8]) {
          expect(learning.typicalMs(rows, runs.length)).toBe(10);
          expect(learning.carefulMs(rows, runs.length)).toBe(10);
        }
      }),
    );
  });

  it('is no reason for a smaller batch, which would take as long', () => {
    expect(queueOf({ costs: costs() }).rowsWithin(1, 0)).toBe(8);
    const batcher = unlimited();
    const queue = new Queue(8, { line: lineOf(), costs: costs() });
    // What was only measured at the start never refuses: all of them are late, and all of them go.
    for (let id = 0; id < 8; id++) {
      batcher.arrive(queue, new TestMember(id, queue, 1, undefined, { arrivedMs: 0, deadlineMs: 3 }));
    }
    expect(nextOf(batcher)).toMatchObject({ rows: 8, trigger: 'full', predictedMs: 4 });
  });
});
