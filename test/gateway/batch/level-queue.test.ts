/** The queue of levels against a stable sort, and which priority is which level. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLevel, levelMax, levelOf, LevelQueue } from '../../../gateway/batch/level-queue.ts';

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
  const item = fc.record({ level: fc.integer({ min: 1, max: levelMax }), id: fc.nat() });
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ push: item }) },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.record({ drop: fc.integer({ min: 1, max: levelMax }) }) },
  );

  it('gives the most urgent first, and the oldest of one level', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const queue = new LevelQueue<{ readonly level: number; readonly id: number }>();
        let list: { readonly level: number; readonly id: number }[] = [];
        for (const move of steps) {
          if (move === 'shift') {
            expect(queue.shift()).toBe(list.shift());
          } else if ('push' in move) {
            queue.push(move.push);
            list = [...list, move.push].toSorted((a, b) => a.level - b.level);
          } else {
            queue.retain(({ level }) => level !== move.drop);
            list = list.filter(({ level }) => level !== move.drop);
          }
          expect(queue.length).toBe(list.length);
          expect(queue.peek()).toBe(list[0]);
        }
      }),
    );
  });
});
