/** What --concurrency and --rate take. */
import { describe, expect, it } from 'vitest';
import { allPoints, parsePoints } from '../../../cli/bench/plan/points.ts';

describe('points', () => {
  it.each([
    ['8', [8]],
    ['1,8, 64', [1, 8, 64]],
    ['0.5', [0.5]],
    ['100:500:100', [100, 200, 300, 400, 500]],
    ['100:550:100', [100, 200, 300, 400, 500]],
    ['0.1:0.3:0.1', [0.1, 0.2, 0.30000000000000004]],
  ])('%s are %j', (text, values) => {
    expect(parsePoints(text)).toEqual({ kind: 'values', values });
  });

  it('keep a range without a step, which a search needs', () => {
    const range = parsePoints('2:5');
    expect(range).toEqual({ kind: 'range', from: 2, to: 5 });
    expect(range === undefined ? undefined : allPoints(range)).toEqual([2, 3, 4, 5]);
  });

  it.each(['', '0', '-1', '1,', 'a', '5:1', '1:', '1:2:0', '1:2:3:4', '1e3', '1:1000:1', '99999999'])(
    'are not %j',
    (text) => {
      expect(parsePoints(text)).toBeUndefined();
    },
  );

  it('are not more than one run measures', () => {
    expect(allPoints({ kind: 'range', from: 1, to: 1000 })).toBeUndefined();
  });
});
