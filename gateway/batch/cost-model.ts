/**
 * What a run of a model takes, learned from the runs themselves: milliseconds by rows, from when a batch is given to a
 * lane until its reply is back. It starts from what the warm-up measured and has no clock: who reports a run says when it
 * ended.
 *
 * Sizes are kept by powers of two. Each holds its last nine runs and answers with order statistics of them: the middle one
 * is what a run typically takes, the one below the longest is what a careful caller should allow. So a single stall moves
 * neither of them beyond what the other runs took, and a lasting change is the typical time after five runs.
 *
 * Between sizes the cost is a straight line. A size that was not run for a second is only believed as far as those that
 * were allow: a run takes no less than one of fewer rows, and no more than as many runs of fewer rows as make up its rows.
 * So one estimate that went wrong, and that nobody can afford to try again, does not stay.
 *
 * Where every run has a fixed number of rows, filled up where fewer were sent, there is one size, and rows cost as many runs as
 * they need.
 */

/** Runs that are remembered of a size. Odd, so that one of them is in the middle. */
export const rememberedRuns = 9;
/** A run that is longer ago says what was, not what is; milliseconds. */
export const freshMsMax = 1000;
/** Powers of two up to the most rows that one request may have. */
const sizeCount = 21;

/** Shortest time of a run of so many rows, from the warm-up. */
export interface SeedCost {
  readonly rows: number;
  /** Microseconds. */
  readonly us: number;
}

export class CostModel {
  /** By the power of two at or below the rows; sizes that never ran are empty. */
  readonly #sizes: (SizeCost | undefined)[] = [];
  /** Rows that every run has, however many of them were sent; undefined where runs have as many as there are. */
  readonly fixedRows: number | undefined;
  #lastRunMs = -Infinity;

  /** `seeds` are believed until runs say otherwise, and are never a reason to refuse. */
  constructor(seeds: readonly SeedCost[] = [], fixedRows?: number) {
    this.fixedRows = fixedRows;
    for (const { rows, us } of seeds) this.#sizeOf(rows).add(rows, us / 1000, -Infinity);
  }

  /** A run of `rows` rows took `ms` and ended at `endedMs`. */
  learn(rows: number, ms: number, endedMs: number): void {
    const run = this.fixedRows ?? rows;
    this.#sizeOf(run).add(run, Math.max(0, ms), endedMs);
    this.#lastRunMs = Math.max(this.#lastRunMs, endedMs);
  }

  /** What a run of `rows` rows takes, milliseconds; 0 when nothing is known. */
  typicalMs(rows: number, nowMs: number): number {
    return this.#runsMs(rows, nowMs, false);
  }

  /** What all but the slowest of nine such runs keep to, milliseconds; 0 when nothing is known. */
  carefulMs(rows: number, nowMs: number): number {
    return this.#runsMs(rows, nowMs, true);
  }

  /** What `rows` rows take in batches of `rowsMax`, milliseconds. */
  workMs(rows: number, rowsMax: number, nowMs: number): number {
    if (rows <= 0) return 0;
    const full = Math.floor(rows / rowsMax);
    const rest = rows - full * rowsMax;
    const fullMs = full === 0 ? 0 : full * this.typicalMs(rowsMax, nowMs);
    return rest === 0 ? fullMs : fullMs + this.typicalMs(rest, nowMs);
  }

  /**
   * Whether what is known is recent enough to refuse somebody for it. Otherwise he should have a try: where all are refused
   * nothing runs, and nothing would ever show that the time for refusals is over.
   */
  isFresh(nowMs: number): boolean {
    return nowMs - this.#lastRunMs <= freshMsMax;
  }

  #sizeOf(rows: number): SizeCost {
    const index = Math.min(31 - Math.clz32(rows), sizeCount - 1);
    return (this.#sizes[index] ??= new SizeCost());
  }

  #runsMs(rows: number, nowMs: number, careful: boolean): number {
    const fixed = this.fixedRows;
    if (fixed === undefined) return this.#costMs(rows, nowMs, careful);
    return Math.ceil(rows / fixed) * this.#costMs(fixed, nowMs, careful);
  }

  #costMs(rows: number, nowMs: number, careful: boolean): number {
    let below: SizeCost | undefined;
    let belowThat: SizeCost | undefined;
    let above: SizeCost | undefined;
    let [leastMs, mostMs] = [0, Infinity];
    for (let index = 0; index < this.#sizes.length; index++) {
      const size = this.#sizes[index];
      if (size === undefined) continue;
      const isBelow = size.rows <= rows;
      if (isBelow) {
        belowThat = below;
        below = size;
      } else {
        above ??= size;
      }
      if (nowMs - size.lastRunMs > freshMsMax) continue;
      const ms = size.ms(careful);
      const inProportionMs = (ms * rows) / size.rows;
      leastMs = Math.max(leastMs, isBelow ? ms : inProportionMs);
      mostMs = Math.min(mostMs, isBelow ? inProportionMs : ms);
    }
    return Math.min(mostMs, Math.max(leastMs, onLine(rows, { belowThat, below, above }, careful)));
  }
}

/** On the straight line between the sizes around it; beyond the largest, on the one that leads there. */
function onLine(
  rows: number,
  known: {
    readonly belowThat: SizeCost | undefined;
    readonly below: SizeCost | undefined;
    readonly above: SizeCost | undefined;
  },
  careful: boolean,
): number {
  const { belowThat, below, above } = known;
  if (below === undefined) return above?.ms(careful) ?? 0;
  const belowMs = below.ms(careful);
  if (above !== undefined) {
    const share = (rows - below.rows) / (above.rows - below.rows);
    return belowMs + share * (above.ms(careful) - belowMs);
  }
  const inProportionMs = (belowMs * rows) / below.rows;
  if (belowThat === undefined) return inProportionMs;
  const perRowMs = (belowMs - belowThat.ms(careful)) / (below.rows - belowThat.rows);
  return Math.min(inProportionMs, belowMs + Math.max(0, perRowMs) * (rows - below.rows));
}

/** The last runs of one size. */
class SizeCost {
  /** When the last of them ended; -Infinity for what only the warm-up measured. */
  lastRunMs = -Infinity;
  readonly #recentMs = new Float64Array(rememberedRuns);
  readonly #recentRows = new Float64Array(rememberedRuns);
  readonly #ascendingMs = new Float64Array(rememberedRuns);
  #runs = 0;
  #next = 0;
  #rowsSum = 0;

  /** Rows of a run on average: a size covers all from a power of two to the next. */
  get rows(): number {
    return this.#rowsSum / this.#runs;
  }

  /** Of few runs the shorter ones count, so that a stall at the beginning is not taken for the cost. */
  ms(careful: boolean): number {
    const rank = careful ? Math.max(0, this.#runs - 2) : (this.#runs - 1) >> 1;
    return this.#ascendingMs[rank] ?? 0;
  }

  add(rows: number, ms: number, endedMs: number): void {
    const slot = this.#next;
    this.#next = (slot + 1) % rememberedRuns;
    if (this.#runs === rememberedRuns) {
      this.#rowsSum -= this.#recentRows[slot] ?? 0;
      this.#forget(this.#recentMs[slot] ?? 0);
    }
    this.#recentMs[slot] = ms;
    this.#recentRows[slot] = rows;
    this.#rowsSum += rows;
    this.#insert(ms);
    this.lastRunMs = Math.max(this.lastRunMs, endedMs);
  }

  #insert(ms: number): void {
    let at = this.#runs;
    for (; at > 0 && (this.#ascendingMs[at - 1] ?? 0) > ms; at--) {
      this.#ascendingMs[at] = this.#ascendingMs[at - 1] ?? 0;
    }
    this.#ascendingMs[at] = ms;
    this.#runs += 1;
  }

  #forget(ms: number): void {
    this.#runs -= 1;
    let at = this.#ascendingMs.indexOf(ms);
    for (; at < this.#runs; at++) this.#ascendingMs[at] = this.#ascendingMs[at + 1] ?? 0;
  }
}
