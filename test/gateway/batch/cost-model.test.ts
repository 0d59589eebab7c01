/**
 * The learned cost of runs: laws for any runs, and the curves of docs/benchmarks.md with their noise. Chance comes from
 * fast-check, so a failure prints its seed.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CostModel, freshMsMax, rememberedRuns } from '../../../gateway/batch/cost-model.ts';

/** Milliseconds by rows, as measured (facts of docs/benchmarks.md): a small model whose runs cost the same, and a large one. */
const curves = [
  { name: 'a small MLP', ms: (rows: number) => 0.045 + rows * 0.0001 },
  { name: 'a middle MLP', ms: (rows: number) => 0.03 + rows * 0.044 },
  { name: 'MobileNet', ms: (rows: number) => 2 + rows * 74 },
];

const usual = fc.double({ min: 0.8, max: 1.2, noNaN: true });

describe('what a run takes', () => {
  it('is 0 while nothing is known, and never a reason to refuse', () => {
    const costs = new CostModel();
    expect([costs.typicalMs(1, 0), costs.carefulMs(64, 0)]).toEqual([0, 0]);
    expect([costs.isFresh(0), new CostModel([{ rows: 1, us: 5 }]).isFresh(0)]).toEqual([false, false]);
  });

  it('begins with what the warm-up measured, on a straight line between its sizes', () => {
    const costs = new CostModel([
      { rows: 1, us: 1000 },
      { rows: 64, us: 64_000 },
    ]);
    for (const rows of [1, 2, 33, 64, 128]) expect(costs.typicalMs(rows, 0)).toBeCloseTo(rows, 6);
  });

  it.each(curves)('is learned about as well as the noise lets it, for $name', ({ ms }) => {
    // Without the library's love for extremes: what is learned is what was seen, and that has to be of all sizes.
    const runs = fc.array(fc.tuple(fc.noBias(fc.integer({ min: 1, max: 64 })), fc.noBias(usual)), {
      minLength: 400,
      maxLength: 400,
    });
    fc.assert(
      fc.property(runs, (seen) => {
        const costs = new CostModel([{ rows: 1, us: ms(1) * 1000 }]);
        let nowMs = 0;
        for (const [rows, noise] of seen) costs.learn(rows, ms(rows) * noise, (nowMs += 0.1));
        for (const rows of [1, 8, 32, 60]) {
          // The middle of nine runs of a size has a tenth as its standard deviation here: five of them to either side.
          expect(costs.typicalMs(rows, nowMs) / ms(rows)).toBeGreaterThan(0.5);
          expect(costs.typicalMs(rows, nowMs) / ms(rows)).toBeLessThan(1.5);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('does not move beyond what other runs took for a single stall, however long and whenever it comes', () => {
    fc.assert(
      fc.property(
        fc.array(usual, { minLength: rememberedRuns + 1, maxLength: 40 }),
        fc.nat(),
        fc.double({ min: 2, max: 1e6, noNaN: true }),
        (noise, place, stallMs) => {
          const costs = new CostModel([{ rows: 4, us: 1000 }]);
          const at = place % noise.length;
          for (const [index, ms] of noise.entries()) {
            costs.learn(4, index === at ? stallMs : ms, index);
            for (const known of [costs.typicalMs(4, index), costs.carefulMs(4, index)]) {
              expect(known).toBeGreaterThanOrEqual(0.8);
              expect(known).toBeLessThanOrEqual(1.2);
            }
          }
        },
      ),
    );
  });

  it.each([
    { change: 10, name: 'slower' },
    { change: 0.1, name: 'faster' },
  ])('follows within five runs when all become ten times $name', ({ change }) => {
    fc.assert(
      fc.property(
        fc.array(usual, { minLength: 5, maxLength: 60 }),
        fc.array(usual, { minLength: 5, maxLength: 5 }),
        (before, after) => {
          const costs = new CostModel();
          let nowMs = 0;
          for (const ms of before) costs.learn(2, ms, nowMs++);
          for (const ms of after) costs.learn(2, ms * change, nowMs++);
          expect(costs.typicalMs(2, nowMs)).toBeGreaterThanOrEqual(0.8 * change);
          expect(costs.typicalMs(2, nowMs)).toBeLessThanOrEqual(1.2 * change);
        },
      ),
    );
  });

  it('allows for what all but the longest of nine runs took', () => {
    const costs = new CostModel();
    for (let ms = 1; ms <= 9; ms++) costs.learn(1, ms, 0);
    expect([costs.typicalMs(1, 0), costs.carefulMs(1, 0)]).toEqual([5, 8]);
  });
});

describe('a size that was not run lately', () => {
  it('takes no more than as many runs of fewer rows, and no less than one of them', () => {
    const costs = new CostModel();
    for (let run = 0; run < rememberedRuns; run++) costs.learn(64, 500, 0);
    const nowMs = freshMsMax + 1;
    expect(costs.typicalMs(64, nowMs)).toBe(500);
    costs.learn(1, 1, nowMs);
    expect(costs.typicalMs(64, nowMs)).toBe(64);
    for (let run = 0; run < rememberedRuns; run++) costs.learn(1, 900, nowMs);
    expect(costs.typicalMs(64, nowMs)).toBe(900);
  });

  it('takes no more than a run of more rows', () => {
    const costs = new CostModel();
    costs.learn(1, 500, 0);
    const nowMs = freshMsMax + 1;
    costs.learn(8, 4, nowMs);
    expect(costs.typicalMs(1, nowMs)).toBe(4);
  });

  it('is no reason to refuse, until it is run again', () => {
    const costs = new CostModel();
    costs.learn(1, 5, 10);
    expect([costs.isFresh(10 + freshMsMax), costs.isFresh(11 + freshMsMax)]).toEqual([true, false]);
    costs.learn(1, 5, 2000);
    expect(costs.isFresh(2001)).toBe(true);
  });
});

describe('work', () => {
  it('is full batches and a rest', () => {
    const costs = new CostModel();
    for (const rows of [1, 8]) costs.learn(rows, 10 + rows, 0);
    expect([costs.workMs(0, 8, 0), costs.workMs(8, 8, 0), costs.workMs(17, 8, 0)]).toEqual([0, 18, 47]);
  });
});
