/** What is in memory is what was asked for last, as far as nothing has to stay; and nothing goes round in circles. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Hold,
  type Reading,
  type ResidencyRules,
  ResidencyTable,
} from '../../../gateway/residency/residency-table.ts';

const rules: ResidencyRules = { bytesMax: 30, churnMsMin: 100, idleMsMax: 1000 };

const reading = (key: number, usedMs: number, more: Partial<Reading> = {}): Reading => {
  return { key, bytes: 10, usedMs, hold: undefined, isSpare: false, ...more };
};

/** Three of 10 bytes, loaded at 0, 1 and 2 for requests. */
function full(more: Partial<ResidencyRules> = {}): ResidencyTable {
  const table = new ResidencyTable({ ...rules, ...more });
  for (const key of [1, 2, 3]) table.enter(key, { bytes: 10, isAsked: true, nowMs: key - 1 });
  return table;
}

const asked = (nowMs: number): { isAsked: true; nowMs: number } => ({ isAsked: true, nowMs });
const ahead = (nowMs: number): { isAsked: false; nowMs: number } => ({ isAsked: false, nowMs });

describe('ResidencyTable', () => {
  it('makes room from what was not used for longest, and no more than is needed', () => {
    const table = full();
    table.observe([reading(1, 150), reading(2, 120), reading(3, 180)]);
    expect(table.makeRoom(10, asked(200))).toEqual({ kind: 'room', evict: [2] });
    expect(table.makeRoom(11, asked(200))).toEqual({ kind: 'room', evict: [2, 1] });
    expect(table.bytes).toBe(30);
  });

  it('keeps small ones that a large one behind them makes needless', () => {
    const table = full({ bytesMax: 40 });
    table.observe([reading(1, 5), reading(2, 6), reading(3, 7, { bytes: 20 })]);
    expect(table.makeRoom(20, asked(200))).toEqual({ kind: 'room', evict: [1, 2] });
    expect(table.makeRoom(21, asked(200))).toEqual({ kind: 'room', evict: [1, 3] });
  });

  it('has room for everything without a limit', () => {
    expect(full({ bytesMax: undefined }).makeRoom(1e12, asked(3))).toEqual({ kind: 'room', evict: [] });
  });

  it('leaves what was loaded for a request for a while, and says until when', () => {
    const table = full();
    expect(table.makeRoom(10, asked(50))).toEqual({ kind: 'later', atMs: 100 });
    expect(table.makeRoom(30, asked(50))).toEqual({ kind: 'later', atMs: 102 });
    expect(table.makeRoom(10, asked(100))).toEqual({ kind: 'room', evict: [1] });
  });

  it('takes what was loaded ahead and never used for a request, and never for another load ahead', () => {
    const table = new ResidencyTable(rules);
    for (const key of [1, 2, 3]) table.enter(key, { bytes: 10, isAsked: false, nowMs: 0 });
    expect(table.makeRoom(10, ahead(50))).toEqual({ kind: 'later', atMs: 100 });
    expect(table.makeRoom(10, asked(50))).toEqual({ kind: 'room', evict: [1] });
    table.observe([reading(1, 40)]);
    expect(table.makeRoom(10, asked(50))).toEqual({ kind: 'room', evict: [2] });
  });

  it('takes what is kept for a rollback before anything that is live', () => {
    const table = new ResidencyTable(rules);
    for (const key of [1, 2, 3]) table.enter(key, { bytes: 10, isAsked: false, nowMs: 0 });
    table.observe([reading(1, 10), reading(2, 20), reading(3, 30, { isSpare: true })]);
    expect(table.makeRoom(10, ahead(50))).toEqual({ kind: 'room', evict: [3] });
  });

  it.each<Hold>(['pinned', 'rollout', 'working', 'leaving'])('never takes what is %s', (hold) => {
    const table = full();
    table.observe([reading(1, 3, { hold }), reading(2, 4, { hold }), reading(3, 5, { hold })]);
    const room = table.makeRoom(10, asked(5000));
    expect(room.kind).toBe('later');
    // What is only busy can be waited for.
    expect(room.kind === 'later' && room.atMs < Infinity).toBe(hold === 'working' || hold === 'leaving');
    expect(table.idle(5000)).toEqual([]);
  });

  it('lets go of what nobody asked for, unless it is told never to', () => {
    const table = full();
    table.observe([reading(1, 500), reading(2, 1), reading(3, 700)]);
    expect(table.idle(1000)).toEqual([]);
    expect(table.idle(1001)).toEqual([2]);
    expect(table.idle(9999)).toEqual([2, 1, 3]);
    expect(full({ idleMsMax: 0 }).idle(1e9)).toEqual([]);
  });

  it('lets go of what was loaded ahead as soon as it is idle, and of what a request loaded not before its time', () => {
    const table = new ResidencyTable({ ...rules, idleMsMax: 20 });
    table.enter(1, { bytes: 10, isAsked: false, nowMs: 0 });
    table.enter(2, { bytes: 10, isAsked: true, nowMs: 0 });
    expect(table.idle(19)).toEqual([]);
    expect(table.idle(20)).toEqual([1]);
    // Used since, and idle again.
    table.observe([reading(1, 30)]);
    expect(table.idle(49)).toEqual([]);
    expect(table.idle(50)).toEqual([1]);
    expect(table.idle(99)).toEqual([1]);
    expect(table.idle(100)).toEqual([2, 1]);
  });

  it('counts what versions take now, and nothing of those that left', () => {
    const table = full();
    table.observe([reading(1, 3, { bytes: 25 }), reading(7, 3, { bytes: 1000 })]);
    expect(table.bytes).toBe(45);
    table.leave(1);
    table.leave(1);
    expect([table.bytes, table.size]).toEqual([20, 2]);
  });
});

interface Step {
  readonly key: number;
  readonly waitMs: number;
  readonly hold: Hold | undefined;
}

const holds: readonly (Hold | undefined)[] = [
  undefined,
  undefined,
  'working',
  'pinned',
  'rollout',
  'leaving',
];
const steps = fc.array(
  fc.record({
    key: fc.nat({ max: 11 }),
    waitMs: fc.nat({ max: 60 }),
    hold: fc.constantFrom(...holds),
  }),
  { maxLength: 200 },
);

describe('requests for any models in any order', () => {
  /** Asks for a model at each step; tells what was done. */
  function play(all: readonly Step[], sizes: readonly number[], bytesMax: number): void {
    const table = new ResidencyTable({ ...rules, bytesMax });
    const inMemory = new Map<
      number,
      { bytes: number; loadedMs: number; usedMs: number; hold: Hold | undefined }
    >();
    let nowMs = 0;
    for (const { key, waitMs, hold } of all) {
      nowMs += waitMs;
      table.observe([...inMemory].map(([each, state]) => ({ key: each, isSpare: false, ...state })));
      const known = inMemory.get(key);
      if (known !== undefined) {
        Object.assign(known, { usedMs: nowMs, hold });
        continue;
      }
      const bytes = sizes[key] ?? 1;
      const room = table.makeRoom(bytes, asked(nowMs));
      if (room.kind === 'later') {
        expect(room.atMs).toBeGreaterThan(nowMs);
        const isHeld = [...inMemory.values()].some(
          (each) => each.hold === 'working' || each.hold === 'leaving',
        );
        // As foreseen, if nothing changes meanwhile.
        if (room.atMs < Infinity && !isHeld)
          expect(table.makeRoom(bytes, asked(room.atMs)).kind).toBe('room');
        continue;
      }
      const freed = room.evict.map((each) => inMemory.get(each)?.bytes ?? NaN);
      const needed = table.bytes + bytes - bytesMax;
      for (const [index, each] of room.evict.entries()) {
        const gone = inMemory.get(each);
        expect(gone?.hold).toBeUndefined();
        expect(nowMs - (gone?.loadedMs ?? nowMs)).toBeGreaterThanOrEqual(rules.churnMsMin);
        // Without this one there would not be room.
        const others = freed.reduce((sum, one, at) => (at === index ? sum : sum + one), 0);
        expect(others).toBeLessThan(needed);
        inMemory.delete(each);
        table.leave(each);
      }
      table.enter(key, { bytes, isAsked: true, nowMs });
      inMemory.set(key, { bytes, loadedMs: nowMs, usedMs: nowMs, hold });
      expect(table.bytes).toBeLessThanOrEqual(bytesMax);
      expect(table.bytes).toBe([...inMemory.values()].reduce((sum, each) => sum + each.bytes, 0));
    }
  }

  it('never take more than the memory, nothing that is held or new, and no more than needed', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(steps, sizes, fc.integer({ min: 20, max: 80 }), (all, each, bytesMax) => {
        play(all, each, bytesMax);
      }),
    );
  });

  it('of one size keep those that were asked for last', () => {
    const uses = fc.uniqueArray(fc.nat({ max: 1000 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(uses, ([first = 0, second = 0, third = 0]) => {
        const table = full();
        table.observe([reading(1, first), reading(2, second), reading(3, third)]);
        const oldest = [first, second, third].indexOf(Math.min(first, second, third)) + 1;
        expect(table.makeRoom(1, asked(2000))).toEqual({ kind: 'room', evict: [oldest] });
      }),
    );
  });
});
