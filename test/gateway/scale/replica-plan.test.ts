/** How a replica is planned to be used, by what its runs cost. */
import { describe, expect, it } from 'vitest';
import { replicaPlan, type ReplicaPlan } from '../../../gateway/scale/replica-plan.ts';

function plan(runMs: (rows: number) => number, rowsMax = 64): ReplicaPlan {
  return replicaPlan({ rowsMax, oneMs: runMs(1), fullMs: runMs(rowsMax) });
}

function target(runMs: (rows: number) => number): number {
  return plan(runMs).targetRows;
}

describe('the rows that a replica should have in hand', () => {
  it('are nearly two full batches where a run costs the same whatever its rows', () => {
    expect(target(() => 3)).toBeCloseTo(2 * 0.8 * 64);
  });

  it('are two where each row costs as much as the first: larger batches bring nothing', () => {
    expect(target((rows) => 74 * rows)).toBe(2);
  });

  it('are those of two batches that do four fifths of what a full one does in its time', () => {
    const runMs = (rows: number): number => 5 + 0.5 * rows;
    const rows = target(runMs) / 2;
    expect(rows / runMs(rows)).toBeCloseTo((0.8 * 64) / runMs(64));
    expect(plan(runMs).rowMs).toBeCloseTo(runMs(rows) / rows);
  });

  it('are two where rows are not joined, and full batches where nothing is known', () => {
    expect(replicaPlan({ rowsMax: 1, oneMs: 8, fullMs: 8 })).toEqual({ targetRows: 2, rowMs: 8 });
    expect(replicaPlan({ rowsMax: 16, oneMs: 0, fullMs: 0 })).toEqual({ targetRows: 32, rowMs: 0 });
  });

  it('are never fewer than two, also where a measurement says that more rows cost less', () => {
    expect(target((rows) => 10 - rows / 10)).toBeGreaterThanOrEqual(2);
    expect(replicaPlan({ rowsMax: 8, oneMs: 0, fullMs: 40 }).targetRows).toBe(2);
  });
});
