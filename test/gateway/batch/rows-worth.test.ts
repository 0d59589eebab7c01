/**
 * From which size on a larger batch is larger for nothing. Curves are those of docs/benchmarks.md; a worker that is never idle
 * runs as many rows as the queue lets it, and what it takes is learned from.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchQueue } from '../../../gateway/batch/batch-queue.ts';
import { CostModel } from '../../../gateway/batch/cost-model.ts';
import { ModelLine } from '../../../gateway/batch/model-line.ts';
import type { Member } from './random-run.ts';

type Curve = (rows: number) => number;
type TestedQueue = BatchQueue<Member, unknown>;

/** Seeded like a warm-up of one row; a larger one would take too long for it. */
function queueOf(ms: Curve, { rowsMax = 64, allowedRows = [] as readonly number[] } = {}): TestedQueue {
  const tuning = { rowsMax, allowedRows, delayMsMax: 0, weight: 1, timeoutMs: undefined };
  const costs = new CostModel([{ rows: 1, us: ms(1) * 1000 }]);
  return new BatchQueue<Member, unknown>({ line: new ModelLine<unknown>(tuning), costs, runsAlone: false });
}

/** Full batches, one after the other; gives the sizes that were run, and when the last one ended. */
function runFull(
  queue: TestedQueue,
  ms: Curve,
  { runs = 100, fromMs = 0, noise = (): number => 1 } = {},
): { readonly sizes: readonly number[]; readonly endMs: number } {
  const sizes: number[] = [];
  let endMs = fromMs;
  for (let run = 0; run < runs; run++) {
    const rows = queue.rowsFor(Infinity);
    const tookMs = ms(rows) * noise();
    sizes.push(rows);
    queue.learn(rows, tookMs, (endMs += tookMs));
  }
  return { sizes, endMs };
}

const everyRowTheSame: Curve = (rows) => 2 + 74 * rows;
/** Eight rows at once are quicker than one by one, more than eight are not. */
const upToEight: Curve = (rows) => (rows <= 8 ? 7 + 3 * rows : rows * 3.9);
const mostlyEach: Curve = (rows) => 10 + 2 * rows;
const mostlyFixed: Curve = (rows) => 30 + 0.3 * rows;

describe('the rows of a batch that are worth it', () => {
  it('are one where every row takes the same, but for a few runs to see whether it does', () => {
    const { sizes } = runFull(queueOf(everyRowTheSame), everyRowTheSame, { runs: 1000 });
    expect(sizes.slice(0, 5)).toEqual([2, 2, 2, 1, 1]);
    expect(new Set(sizes)).toEqual(new Set([1, 2]));
    expect(sizes.slice(3).filter((rows) => rows === 2).length).toBeLessThan(7);
  });

  it('are found size by size', () => {
    const { sizes } = runFull(queueOf(upToEight), upToEight, { runs: 2000 });
    const triedTwice = sizes.slice(20).filter((rows) => rows !== 8);
    expect([...new Set(sizes.slice(0, 20))]).toEqual([2, 4, 8, 16]);
    expect(new Set(triedTwice)).toEqual(new Set([16]));
    expect(triedTwice.length).toBeLessThan(0.005 * sizes.length);
  });

  it('are all that are allowed where larger batches get more done, or where none takes long', () => {
    for (const ms of [mostlyFixed, (rows: number) => 0.06 * rows]) {
      for (const rowsMax of [48, 64]) {
        expect(runFull(queueOf(ms, { rowsMax }), ms).sizes.at(-1)).toBe(rowsMax);
      }
    }
  });

  it('get most of what the best size does done, for any line and any noise', () => {
    const part = (min: number, max: number): fc.Arbitrary<number> => fc.double({ min, max, noNaN: true });
    const runs = 100;
    const noises = fc.array(part(0.95, 1.05), { minLength: runs, maxLength: runs });
    fc.assert(
      fc.property(part(0, 30), part(0.01, 1), noises, (fixed, each, noise) => {
        const ms: Curve = (rows) => fixed + each * rows;
        const left = [...noise];
        const { sizes } = runFull(queueOf(ms), ms, { runs, noise: () => left.pop() ?? 1 });
        const rows = sizes.at(-1) ?? 0;
        expect(rows / ms(rows)).toBeGreaterThan((0.85 * 64) / ms(64));
      }),
      { numRuns: 50 },
    );
  });

  it('follow when more would be worth it that was not, as beside others who take the processor', () => {
    const queue = queueOf(upToEight);
    const { endMs } = runFull(queue, upToEight);
    const slow: Curve = (rows) => 80 + upToEight(rows);
    expect(runFull(queue, slow, { fromMs: endMs }).sizes.at(-1)).toBe(64);
  });

  it('are not given up for one bad moment, and for three until they are tried again', () => {
    const queue = queueOf(mostlyFixed);
    queue.learn(2, 500, 500);
    expect(queue.rowsMax).toBeGreaterThanOrEqual(2);
    queue.learn(2, 500, 1000);
    queue.learn(2, 500, 1500);
    expect(queue.rowsMax).toBe(1);
    expect(runFull(queue, mostlyFixed, { runs: 20_000, fromMs: 1500 }).sizes.at(-1)).toBe(64);
  });

  it('are fewer where another model has the same worker, until ten seconds after it had', () => {
    const queue = queueOf(mostlyEach);
    const clock = { virtualMs: 0 };
    queue.line.begin(0, clock, 0);
    const alone = runFull(queue, mostlyEach);
    new ModelLine<unknown>(queue.line.tuning).begin(0, clock, alone.endMs);
    queue.line.begin(0, clock, alone.endMs);
    const beside = runFull(queue, mostlyEach, { fromMs: alone.endMs, runs: 20 });
    const after = runFull(queue, mostlyEach, { fromMs: alone.endMs + 10_001 });
    expect([alone, beside, after].map(({ sizes }) => sizes.at(-1))).toEqual([64, 16, 64]);
  });

  it('make no batch of a size that its deployment does not want', () => {
    const queue = queueOf(everyRowTheSame, { allowedRows: [4, 16] });
    expect(new Set(runFull(queue, everyRowTheSame).sizes)).toEqual(new Set([4]));
    expect(queueOf(everyRowTheSame, { rowsMax: 2, allowedRows: [4, 16] }).rowsMax).toBe(2);
  });
});
