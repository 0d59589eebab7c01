/**
 * Compares what two versions answered to the same request, output by output and row by row. Counts only, so that those of
 * several nodes add up; whether a difference matters is for people to say, since a new model is meant to differ.
 */
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { halfToNumber } from '../../runtime/tensor/half-float.ts';
import { copyOfRows, isNumericColumn } from '../wire/classification.ts';
import type { InferReply, OutputColumn } from '../wire/infer-request.ts';

/** What the pairs of one shadow rollout looked like so far. */
export interface ComparisonCounts {
  /** Requests that both versions answered. */
  pairs: number;
  /** Rows of outputs that were compared. */
  rows: number;
  /**
   * Of them, rows in which the versions say the same: the same largest element where a row has several numbers with a
   * fraction (class scores), numbers within `toleranceRelative` where it has one, equal elements for all other datatypes.
   */
  rowsAgreeing: number;
  /** Largest difference of two finite elements, in rows that both could be compared in. */
  differenceMax: number;
  /** Rows of more than `topCount` scores, and how many of the `topCount` largest both versions have, summed. */
  rowsRanked: number;
  topShared: number;
  /** Rows in which only the candidate has a number that is not finite. */
  rowsNotFinite: number;
  /** Pairs whose outputs have other names, datatypes or shapes. */
  pairsUnlike: number;
}

const topCount = 5;
const toleranceRelative = 1e-3;

/**
 * Elements of one output that are kept and compared for a request: both happen on the event loop, where callers wait.
 * Rows beyond are not looked at; a row that is longer is, alone.
 */
const elementsMax = 16_384;

export function noComparisons(): ComparisonCounts {
  return {
    pairs: 0,
    rows: 0,
    rowsAgreeing: 0,
    differenceMax: 0,
    rowsRanked: 0,
    topShared: 0,
    rowsNotFinite: 0,
    pairsUnlike: 0,
  };
}

/**
 * The part of an answer that is compared, as columns that begin with its first row. Only valid during the call of the
 * sink that got the reply, like the reply itself.
 */
export function keepOutputs({ columns, batched, rowStart, rows }: InferReply): readonly OutputColumn[] {
  return columns.map((column) => {
    const rowsMax = Math.max(1, Math.floor(elementsMax / Math.max(1, column.rowElements)));
    return copyOfRows(column, { rowStart, rows: batched ? Math.min(rows, rowsMax) : 1 });
  });
}

/** Adds one pair to the counts. */
export function comparePair(
  counts: ComparisonCounts,
  stable: readonly OutputColumn[],
  candidate: readonly OutputColumn[],
): void {
  counts.pairs += 1;
  const isAlike =
    stable.length === candidate.length && stable.every((output, index) => isLike(output, candidate[index]));
  if (!isAlike) {
    counts.pairsUnlike += 1;
    return;
  }
  for (const [index, output] of stable.entries()) {
    const other = candidate[index];
    if (other !== undefined) compareOutput(counts, output, other);
  }
}

function isLike(left: OutputColumn, right: OutputColumn | undefined): boolean {
  return (
    left.name === right?.name && left.datatype === right.datatype && left.data.length === right.data.length
  );
}

function compareOutput(counts: ComparisonCounts, left: OutputColumn, right: OutputColumn): void {
  const width = Math.max(1, left.rowElements);
  const fractional = hasFraction(left.datatype);
  const [one, other] = [valuesOf(left), valuesOf(right)];
  for (let start = 0; start < one.length; start += width) {
    counts.rows += 1;
    const end = Math.min(start + width, one.length);
    if (isNumericColumn(one) && isNumericColumn(other))
      compareRow(counts, { one, other, start, end, fractional });
    else if (isEqualRow(one, other, { start, end })) counts.rowsAgreeing += 1;
  }
}

interface RowPair {
  readonly one: NumericArray;
  readonly other: NumericArray;
  readonly start: number;
  readonly end: number;
  readonly fractional: boolean;
}

/** One pass and nothing allocated: rows may be many. */
function compareRow(counts: ComparisonCounts, { one, other, start, end, fractional }: RowPair): void {
  let isFinite = true;
  let isOtherFinite = true;
  let isClose = true;
  let largest = 0;
  for (let index = start; index < end; index += 1) {
    const left = Number(one[index]);
    const right = Number(other[index]);
    isFinite &&= Number.isFinite(left);
    isOtherFinite &&= Number.isFinite(right);
    const difference = Math.abs(left - right);
    if (Number.isFinite(difference)) largest = Math.max(largest, difference);
    if (fractional) {
      const tolerance = toleranceRelative * Math.max(Math.abs(left), Math.abs(right));
      if (!(difference <= tolerance) && !Object.is(left, right)) isClose = false;
    } else if (one[index] !== other[index]) isClose = false;
  }
  if (isFinite && !isOtherFinite) {
    counts.rowsNotFinite += 1;
    return;
  }
  counts.differenceMax = Math.max(counts.differenceMax, largest);
  const isScored = fractional && end - start > 1;
  if (!isScored) {
    if (isClose) counts.rowsAgreeing += 1;
    return;
  }
  rank(one, { start, end, into: topOfOne });
  rank(other, { start, end, into: topOfOther });
  if (topOfOne[0] === topOfOther[0]) counts.rowsAgreeing += 1;
  if (end - start <= topCount) return;
  counts.rowsRanked += 1;
  for (const index of topOfOne) if (topOfOther.includes(index)) counts.topShared += 1;
}

// Used within one call each.
const topOfOne: number[] = [];
const topOfOther: number[] = [];

/**
 * Indexes of the few largest elements, the largest first; of equal ones the first, NaN behind everything. Unlike the sort
 * of the classification extension, it looks at each element once.
 */
function rank(
  values: NumericArray,
  { start, end, into }: { readonly start: number; readonly end: number; readonly into: number[] },
): void {
  into.length = 0;
  for (let index = start; index < end; index += 1) {
    let seat = into.length;
    while (seat > 0 && isLarger(values[index], values[into[seat - 1] ?? 0])) seat -= 1;
    if (seat >= topCount) continue;
    into.splice(seat, 0, index);
    into.length = Math.min(into.length, topCount);
  }
}

function isLarger(value: number | bigint | undefined, other: number | bigint | undefined): boolean {
  const [left, right] = [Number(value), Number(other)];
  return left > right || (Number.isNaN(right) && !Number.isNaN(left));
}

function isEqualRow(
  one: OutputColumn['data'],
  other: OutputColumn['data'],
  { start, end }: { readonly start: number; readonly end: number },
): boolean {
  for (let index = start; index < end; index += 1) if (one[index] !== other[index]) return false;
  return true;
}

/** Half floats are kept as bit patterns. */
function valuesOf({ data, datatype }: OutputColumn): OutputColumn['data'] {
  return datatype === 'FP16' ? Float32Array.from(data as Uint16Array, halfToNumber) : data;
}

function hasFraction(datatype: Datatype): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}
