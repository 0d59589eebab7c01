/** The queue of levels against a stable sort, and which priority is which level. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dueMsOf, patienceMs } from '../../../gateway/batch/due-queue.ts';
import { defaultLevel, levelMax, levelOf, LevelQueue } from '../../../gateway/batch/level-queue.ts';

interface Item {
  readonly level: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number | undefined;
}

describe('levels', () => {
  it.each([
    [0, defaultLevel],
    [1, 1],
    [5, defaultLevel],
    [9, levelMax],
    [10, levelMax],
    [Number.MAX_SAFE_INTEGER, levelMax],
  ])('priority %i is level %i', (priority, level) => {
    expect(levelOf(priority)).toBe(level);
  });
});

describe('a queue of levels', () => {
  /** They came one millisecond after the other. */
  const item = fc.record({
    level: fc.integer({ min: 1, max: levelMax }),
    withinMs: fc.option(fc.integer({ min: 1, max: 2 * patienceMs }), { nil: undefined }),
  });
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: item }) },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.record({ drop: fc.integer({ min: 1, max: levelMax }) }) },
  );

  it('gives the most urgent first, of one level who is due first, and knows how many would go before another', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const queue = new LevelQueue<Item>();
        let list: Item[] = [];
        let clockMs = 0;
        for (const move of steps) {
          if (move === 'shift') {
            const [first] = list;
            const shifted = queue.shift();
            expect(keyOf(shifted)).toEqual(keyOf(first));
            list = list.filter((item) => item !== shifted);
          } else if ('push' in move) {
            const { level, withinMs } = move.push;
            const arrivedMs = clockMs++;
            const deadlineMs = withinMs === undefined ? undefined : arrivedMs + withinMs;
            const pushed = { level, arrivedMs, deadlineMs };
            queue.push(pushed);
            list = [...list, pushed].toSorted((a, b) => a.level - b.level || dueMsOf(a) - dueMsOf(b));
          } else {
            queue.retain(({ level }) => level !== move.drop);
            list = list.filter(({ level }) => level !== move.drop);
          }
          expect(queue.length).toBe(list.length);
          expect(keyOf(queue.peek())).toEqual(keyOf(list[0]));
          const deadlines = list.map(({ deadlineMs }) => deadlineMs ?? Infinity);
          expect(queue.deadlineMs).toBe(Math.min(Infinity, ...deadlines));
          for (const [level, dueMs] of [
            [1, 500],
            [defaultLevel, 1200],
            [levelMax, 2000],
          ] as const) {
            const before = list.filter(
              (item) => item.level < level || (item.level === level && dueMsOf(item) <= dueMs),
            );
            expect(queue.countBefore(level, dueMs)).toBe(before.length);
          }
        }
      }),
    );
  });
});

/** What decides; of those who are due together, one with a deadline and one without may go either way. */
function keyOf(item: Item | undefined): readonly number[] | undefined {
  return item === undefined ? undefined : [item.level, dueMsOf(item)];
}
