/** Sequences that are open are few, small and not silent for long. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Entry, SequenceTable } from '../../../../gateway/dispatch/sequences/sequence-table.ts';

interface Held extends Entry {
  busy: boolean;
}

const entry = (key: string, busy = false): Held => ({ key, caller: undefined, busy, usedMs: 0 });

function table(limits: object = {}): { open: SequenceTable<Held>; gone: string[] } {
  const gone: string[] = [];
  const all = {
    sequencesMax: 2,
    callerSequencesMax: 1,
    sequenceBytesMax: 100,
    sequenceIdleMsMax: 10,
    ...limits,
  };
  return { open: new SequenceTable<Held>(all, ({ key }) => void gone.push(key)), gone };
}

describe('SequenceTable', () => {
  it('lets go of what was silent for longer than the limit, longest first', () => {
    const { open, gone } = table();
    const [a, b] = [entry('a'), entry('b')];
    open.add(a, 0);
    open.add(b, 1);
    open.used(a, 5);
    expect(open.find('b', 11)).toBe(b);
    expect(open.find('b', 12)).toBeUndefined();
    expect(open.find('a', 15)).toBe(a);
    expect(open.find('a', 16)).toBeUndefined();
    expect(gone).toEqual(['b', 'a']);
  });

  it('lets each caller have so many, and another one when one is gone', () => {
    const { open } = table();
    const a: Held = { ...entry('a'), caller: 'ada' };
    open.add(a, 0);
    expect([open.mayOpen('ada'), open.mayOpen('bob'), open.mayOpen(undefined)]).toEqual([false, true, true]);
    open.remove(a);
    open.remove(a);
    expect(open.mayOpen('ada')).toBe(true);
  });

  it('keeps what is busy, and looks at it again when it was silent as long once more', () => {
    const { open } = table();
    const a = entry('a', true);
    open.add(a, 0);
    expect(open.find('a', 100)).toBe(a);
    a.busy = false;
    expect(open.find('a', 110)).toBe(a);
    expect(open.find('a', 111)).toBeUndefined();
  });

  it('takes no more than may be open, unless one of them was silent for too long', () => {
    const { open } = table();
    expect([open.add(entry('a'), 0), open.add(entry('b'), 0), open.add(entry('c'), 10)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(open.add(entry('c'), 11)).toBe(true);
    expect(open.size).toBe(1);
  });

  it('takes bytes up to the limit and gives them back', () => {
    const { open } = table();
    expect([open.take(60), open.take(41), open.take(40), open.bytes]).toEqual([true, false, true, 100]);
    open.give(60);
    expect([open.take(61), open.take(60)]).toEqual([false, true]);
  });

  it('is never larger than its limit and holds nobody who was silent, whatever is done to it', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'find', 'used', 'remove'),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      waitMs: fc.nat(12),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { open, gone } = table({ sequencesMax: 3 });
        const lastUsed = new Map<string, number>();
        let nowMs = 0;
        let added = 0;
        for (const { what, key, waitMs } of steps) {
          nowMs += waitMs;
          const found = open.find(key, nowMs);
          const silentMs = nowMs - (lastUsed.get(key) ?? -Infinity);
          expect(found !== undefined).toBe(silentMs <= 10);
          if (what === 'add' && found === undefined && open.add(entry(key), nowMs)) {
            lastUsed.set(key, nowMs);
            added += 1;
          }
          if (what === 'used' && found !== undefined) {
            open.used(found, nowMs);
            lastUsed.set(key, nowMs);
          }
          if (what === 'remove' && found !== undefined) {
            open.remove(found);
            lastUsed.delete(key);
          }
          expect(open.size).toBeLessThanOrEqual(3);
          expect(open.size + gone.length).toBe(added);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
