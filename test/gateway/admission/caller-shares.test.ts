/** Shares of callers against a plain sum, and that nobody is forgotten or kept. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CallerShare, CallerShares } from '../../../gateway/admission/caller-shares.ts';

const share = (caller: string | undefined, rows: number, bytes: number): CallerShare => ({
  caller,
  rows,
  bytes,
});

describe('shares of callers', () => {
  it('are bounded each for itself, by rows and by bytes, and one request is always taken', () => {
    const callers = new CallerShares({ rowsMax: 10, bytesMax: 100 });
    const lacks = (caller: string, rows: number, bytes: number): unknown =>
      callers.lackOf(share(caller, rows, bytes));
    expect(lacks('a', 50, 500)).toBeUndefined();
    callers.take(share('a', 8, 80));
    expect([lacks('a', 2, 20), lacks('a', 3, 20), lacks('a', 2, 21), lacks('b', 11, 101)]).toEqual([
      undefined,
      'rows',
      'bytes',
      undefined,
    ]);
    callers.release(share('a', 8, 80));
    expect([lacks('a', 50, 500), callers.size]).toEqual([undefined, 0]);
  });

  it('that take nothing of what is full are taken, and nothing at all is not kept', () => {
    const callers = new CallerShares({ rowsMax: 1, bytesMax: 1 });
    callers.take(share('a', 5, 0));
    expect(callers.lackOf(share('a', 0, 9))).toBeUndefined();
    callers.take(share('a', 0, 9));
    expect([callers.lackOf(share('a', 0, 1)), callers.lackOf(share('a', 1, 0))]).toEqual(['bytes', 'rows']);
    callers.take(share('b', 0, 0));
    callers.release(share('b', 0, 0));
    expect(callers.size).toBe(1);
  });

  it('are not bounded by 0, nor for who has no name', () => {
    const bounded = new CallerShares({ rowsMax: 1, bytesMax: 1 });
    bounded.take(share(undefined, 9, 9));
    expect([bounded.lackOf(share(undefined, 9, 9)), bounded.size]).toEqual([undefined, 0]);
    bounded.release(share(undefined, 9, 9));
    for (const [rowsMax, bytesMax, lack] of [
      [0, 0, undefined],
      [9, 0, 'rows'],
      [0, 9, 'bytes'],
    ] as const) {
      const callers = new CallerShares({ rowsMax, bytesMax });
      callers.take(share('a', 9, 9));
      expect(callers.lackOf(share('a', 9, 9))).toBe(lack);
    }
  });

  it('are those that were taken and not given back, whatever the order', () => {
    const amount = fc.integer({ min: 0, max: 6 });
    const moves = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), amount, amount), { maxLength: 80 });
    fc.assert(
      fc.property(moves, fc.array(fc.nat()), (taken, picks) => {
        const callers = new CallerShares({ rowsMax: 12, bytesMax: 9 });
        const held: CallerShare[] = [];
        const sumOf = (caller: string | undefined, what: 'rows' | 'bytes'): number =>
          held.filter((other) => other.caller === caller).reduce((sum, other) => sum + other[what], 0);
        for (const [index, move] of taken.entries()) {
          const next = share(...move);
          const [rows, bytes] = [sumOf(next.caller, 'rows'), sumOf(next.caller, 'bytes')];
          const hasRows = next.rows === 0 || rows === 0 || rows + next.rows <= 12;
          const hasBytes = next.bytes === 0 || bytes === 0 || bytes + next.bytes <= 9;
          expect(callers.lackOf(next)).toBe(!hasRows ? 'rows' : !hasBytes ? 'bytes' : undefined);
          callers.take(next);
          held.push(next);
          const pick = (picks[index] ?? 1) % (held.length + 1);
          for (const back of held.splice(pick, 1)) callers.release(back);
        }
        for (const back of held.splice(0)) callers.release(back);
        expect(callers.size).toBe(0);
      }),
    );
  });

  it('cannot be given back twice', () => {
    const callers = new CallerShares({ rowsMax: 5, bytesMax: 5 });
    callers.take(share('a', 2, 2));
    for (const more of [share('a', 3, 0), share('a', 0, 3)]) {
      expect(() => {
        callers.release(more);
      }).toThrow('more than was taken');
    }
    callers.release(share('a', 2, 2));
    expect(() => {
      callers.release(share('a', 2, 2));
    }).toThrow('more than was taken');
  });
});
