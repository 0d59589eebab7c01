/** Rows of callers against a plain count, and that nobody is forgotten or kept. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallerRows } from '../../../gateway/admission/caller-rows.ts';

describe('rows of callers', () => {
  it('are bounded each for itself, and one request is always taken', () => {
    const callers = new CallerRows(10);
    expect([callers.hasRoomFor('a', 10), callers.hasRoomFor('a', 50)]).toEqual([true, true]);
    callers.take('a', 8);
    expect([callers.hasRoomFor('a', 2), callers.hasRoomFor('a', 3), callers.hasRoomFor('b', 10)]).toEqual([
      true,
      false,
      true,
    ]);
    callers.release('a', 8);
    expect([callers.hasRoomFor('a', 50), callers.size]).toEqual([true, 0]);
  });

  it('are not bounded by 0, nor for who has no name', () => {
    for (const callers of [new CallerRows(0), new CallerRows(1)]) {
      const name = callers.hasRoomFor('a', 5) && callers.size === 0 ? undefined : 'a';
      callers.take(name, 1000);
      expect([callers.hasRoomFor(name, 1000), callers.size]).toEqual([true, 0]);
      callers.release(name, 1000);
    }
    const unbound = new CallerRows(0);
    unbound.take('a', 1000);
    expect([unbound.hasRoomFor('a', 1000), unbound.size]).toEqual([true, 0]);
  });

  it('are those that were taken and not given back, whatever the order', () => {
    const moves = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 6 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(moves, fc.array(fc.nat()), (taken, picks) => {
        const callers = new CallerRows(12);
        let held: (readonly [string, number])[] = [];
        for (const [index, [caller, rows]] of taken.entries()) {
          const sum = held.filter(([other]) => other === caller).reduce((all, [, count]) => all + count, 0);
          expect(callers.hasRoomFor(caller, rows)).toBe(sum === 0 || sum + rows <= 12);
          callers.take(caller, rows);
          held.push([caller, rows]);
          const back = held[(picks[index] ?? 1) % (held.length + 1)];
          if (back === undefined) continue;
          callers.release(...back);
          held = held.filter((other) => other !== back);
        }
        expect(callers.size).toBe(new Set(held.map(([caller]) => caller)).size);
      }),
    );
  });

  it('cannot be given back twice', () => {
    const callers = new CallerRows(5);
    callers.take('a', 2);
    callers.release('a', 2);
    expect(() => {
      callers.release('a', 2);
    }).toThrow('more than was taken');
  });
});
