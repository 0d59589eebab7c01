/**
 * Callers who do not slow down when the gateway does: twice what it can do, with deadlines. What it can do it does, those who
 * are taken are answered in time, and those who are not are told at once. And a hot model beside a cold one.
 */
import { describe, expect, it } from 'vitest';
import { capacity, type ModelReport, simulate } from './simulated-gateway.ts';

/** The curves of docs/benchmarks.md, the first slowed down so that a second of it has not too many events. */
const models = {
  'one whose runs cost much the same': { runMs: (rows: number) => 1 + 0.01 * rows, withinMs: 15, forMs: 400 },
  'one between the two': { runMs: (rows: number) => 5 + 0.5 * rows, withinMs: 250, forMs: 8000 },
  'one whose cost grows with every row': {
    runMs: (rows: number) => 2 + 74 * rows,
    withinMs: 3000,
    // Some 130 batches; with half of them chance moves the goodput by a tenth.
    forMs: 400_000,
  },
};
const rowsMax = 64;
/** One in a normal run; `TIDEGATE_SIMULATED_SEEDS=10` is a longer one. */
const seeds = Array.from(
  { length: Number(process.env['TIDEGATE_SIMULATED_SEEDS'] ?? 1) },
  (_, index) => index + 1,
);

const cases = Object.entries(models).flatMap(([model, curve]) => [
  { model, lanes: 1, spread: 1, ...curve, time: 'the same time' },
  { model, lanes: 2, spread: 4, ...curve, time: 'times apart' },
]);

interface Load {
  readonly seed: number;
  readonly lanes: number;
  readonly load: number;
  /** The most time that callers give over the least. */
  readonly spread: number;
  readonly noisy: boolean;
  readonly runMs: (rows: number) => number;
  readonly withinMs: number;
  readonly forMs: number;
}

function run({ seed, lanes, load, spread, noisy, runMs, withinMs, forMs }: Load): {
  readonly report: ModelReport;
  readonly goodput: number;
} {
  const most = capacity({ rowsMax, runMs }, { lanes, noisy });
  const model = {
    runMs,
    rowsMax,
    perMs: load * most,
    withinMs: (random: () => number) => withinMs * (1 + (spread - 1) * random()),
  };
  const [report] = simulate({ seed, lanes, forMs, noisy, models: [model] });
  return { report: report!, goodput: report!.fates['in time'] / Math.min(most * forMs, report!.sent) };
}

/** Of those who were taken. */
function kept({ sent, fates }: ModelReport): number {
  return fates['in time'] / (sent - fates.refused);
}

describe.each(cases)('$model on $lanes lanes, callers giving $time', (load) => {
  it('does what it can at twice that, and keeps its word but for stalls', () => {
    for (const seed of seeds) {
      const { report, goodput } = run({ ...load, seed, load: 2, noisy: true });
      expect({ seed, goodput, enough: goodput >= 0.95 }).toMatchObject({ enough: true });
      expect({ seed, kept: kept(report), enough: kept(report) >= 0.85 }).toMatchObject({ enough: true });
    }
  }, 120_000);

  it('keeps its word to all but a few where runs take what they took before', () => {
    const { report, goodput } = run({ ...load, seed: 3, load: 2, noisy: false });
    expect({ goodput, enough: goodput >= 0.95 }).toMatchObject({ enough: true });
    expect({ kept: kept(report), enough: kept(report) >= 0.93 }).toMatchObject({ enough: true });
  }, 120_000);

  it('refuses nobody while it has time for all', () => {
    const { report } = run({ ...load, seed: 4, load: 0.5, noisy: false });
    expect(report.fates).toMatchObject({ refused: 0, missed: 0, late: 0 });
  }, 120_000);
});

describe('a cold model beside a hot one', () => {
  it.each([1, 2])(
    'waits for about one run of it on %i lanes, and the hot one loses no more than the cold one uses',
    (lanes) => {
      const runMs = (rows: number): number => 2 + 0.25 * rows;
      const hot = {
        runMs,
        rowsMax,
        perMs: 2 * capacity({ rowsMax, runMs }, { lanes, noisy: false }),
        withinMs: () => 300,
      };
      const cold = { runMs: () => 1, rowsMax, perMs: 0.01, withinMs: () => undefined };
      const forMs = 5000;
      const [busy, calm] = simulate({ seed: 5, lanes, forMs, noisy: false, models: [hot, cold] });
      expect(calm!.fates).toMatchObject({ 'in time': calm!.sent });
      // The run under way, and another one that is picked in the same moment.
      const waits = calm!.waitsMs.toSorted((a, b) => a - b);
      expect(waits.at(-1)).toBeLessThanOrEqual(2 * runMs(rowsMax));
      expect(waits[Math.floor(waits.length / 2)]).toBeLessThanOrEqual(runMs(rowsMax));
      expect(busy!.workMs + calm!.workMs).toBeGreaterThan(0.95 * lanes * forMs);
    },
    60_000,
  );
});
