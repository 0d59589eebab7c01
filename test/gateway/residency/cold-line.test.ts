/** Few wait, not for long, and only for what comes in time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ColdLoad, ColdLine } from '../../../gateway/residency/cold-line.ts';

const limits = { coldRowsMax: 10, coldBytesMax: 100, coldWaitMsMax: 1000 };
const soon = { dueWithinMs: undefined, expectedMs: 10 };

describe('ColdLine', () => {
  it('lets wait what fits, by rows and by bytes', () => {
    const line = new ColdLine(limits);
    expect(line.admit({ rows: 9, bytes: 10 }, soon)).toBe('waits');
    expect(line.admit({ rows: 2, bytes: 10 }, soon)).toBe('full');
    expect(line.admit({ rows: 1, bytes: 91 }, soon)).toBe('full');
    expect(line.admit({ rows: 1, bytes: 90 }, soon)).toBe('waits');
    line.leave({ rows: 9, bytes: 10 });
    expect([line.rows, line.bytes]).toEqual([1, 90]);
  });

  it('lets nobody wait in vain', () => {
    const line = new ColdLine(limits);
    const wait = (dueWithinMs: number | undefined, expectedMs: number): string =>
      line.admit({ rows: 1, bytes: 1 }, { dueWithinMs, expectedMs });
    expect([wait(50, 51), wait(50, 50), wait(undefined, 1001), wait(undefined, 1000)]).toEqual([
      'late',
      'waits',
      'late',
      'waits',
    ]);
    expect([wait(5000, 1001), wait(5000, Infinity)]).toEqual(['late', 'late']);
    expect(line.rows).toBe(2);
  });

  it('never holds more than its limits, whoever comes and goes', () => {
    const loads = fc.array(
      fc.record({ rows: fc.nat({ max: 12 }), bytes: fc.nat({ max: 60 }), leaves: fc.boolean() }),
    );
    fc.assert(
      fc.property(loads, (all) => {
        const line = new ColdLine(limits);
        const waiting: ColdLoad[] = [];
        for (const { leaves, ...load } of all) {
          if (line.admit(load, soon) === 'waits') waiting.push(load);
          expect(line.rows).toBeLessThanOrEqual(limits.coldRowsMax);
          expect(line.bytes).toBeLessThanOrEqual(limits.coldBytesMax);
          const first = leaves ? waiting.shift() : undefined;
          if (first !== undefined) line.leave(first);
        }
        for (const load of waiting) line.leave(load);
        expect([line.rows, line.bytes]).toEqual([0, 0]);
      }),
    );
  });
});
