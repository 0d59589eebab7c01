/**
 * Compares what two versions answered to the same request, output by output and row by row. Counts only, so that those of
 * several nodes add up; whether a difference matters is for people to say, since a new model is meant to differ.
 */
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { halfToNumber } from '../../runtime/tensor/half-float.ts';
import type { InferReply, OutputColumn } from '../wire/infer-request.ts';

/** The rows of one request in one output, copied: they outlive the batch. */
export interface KeptOutput {
  readonly name: string;
  readonly datatype: Datatype;
  readonly rowShape: readonly number[];
  readonly rowElements: number;
  readonly data: NumericArray | readonly string[];
}

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
  /** Largest difference of two finite elements. */
  differenceMax: number;
  /** Rows of more than `topCount` scores, and how many of the `topCount` largest both versions have, summed. */
  rowsRanked: number;
  topShared: number;
  /** Rows in which only the candidate has a number that is not finite. */
  rowsNotFinite: number;
  /** Pairs whose outputs have other names, datatypes or shapes. */
  pairsUnlike: number;
}

export const topCount = 5;
const toleranceRelative = 1e-3;

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

/** Only valid during the call of the sink that got the reply, like the reply itself. */
export function keepOutputs({ columns, batched, rowStart, rows }: InferReply): readonly KeptOutput[] {
  return columns.map(({ name, datatype, rowShape, rowElements, data }: OutputColumn) => {
    const start = batched ? rowStart * rowElements : 0;
    const end = batched ? start + rows * rowElements : data.length;
    return { name, datatype, rowShape, rowElements, data: data.slice(start, end) };
  });
}

/** Adds one pair to the counts. */
export function comparePair(
  counts: ComparisonCounts,
  stable: readonly KeptOutput[],
  candidate: readonly KeptOutput[],
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

function isLike(left: KeptOutput, right: KeptOutput | undefined): boolean {
  return (
    left.name === right?.name && left.datatype === right.datatype && left.data.length === right.data.length
  );
}

function compareOutput(counts: ComparisonCounts, left: KeptOutput, right: KeptOutput): void {
  const width = Math.max(1, left.rowElements);
  for (let start = 0; start < left.data.length; start += width) {
    counts.rows += 1;
    if (left.datatype === 'BYTES') {
      if (isEqualRow(left, right, start)) counts.rowsAgreeing += 1;
    } else compareRow(counts, numbersOf(left, start), numbersOf(right, start), hasFraction(left.datatype));
  }
}

function compareRow(
  counts: ComparisonCounts,
  left: readonly number[],
  right: readonly number[],
  fractional: boolean,
): void {
  if (left.every(Number.isFinite) && !right.every(Number.isFinite)) {
    counts.rowsNotFinite += 1;
    return;
  }
  let isClose = true;
  for (const [index, value] of left.entries()) {
    const other = right[index] ?? Number.NaN;
    const difference = Math.abs(value - other);
    if (Number.isFinite(difference)) counts.differenceMax = Math.max(counts.differenceMax, difference);
    const tolerance = fractional ? toleranceRelative * Math.max(Math.abs(value), Math.abs(other)) : 0;
    if (!Object.is(value, other) && !(difference <= tolerance)) isClose = false;
  }
  const isScored = fractional && left.length > 1;
  if (isScored ? ranked(left)[0] === ranked(right)[0] : isClose) counts.rowsAgreeing += 1;
  if (!isScored || left.length <= topCount) return;
  const top = new Set(ranked(left).slice(0, topCount));
  counts.rowsRanked += 1;
  counts.topShared += ranked(right)
    .slice(0, topCount)
    .filter((index) => top.has(index)).length;
}

/** Indexes, the largest element first; of equal ones the first. */
function ranked(values: readonly number[]): readonly number[] {
  return [...values.keys()].sort((one, other) => (values[other] ?? 0) - (values[one] ?? 0) || one - other);
}

function isEqualRow(left: KeptOutput, right: KeptOutput, start: number): boolean {
  for (let index = start; index < start + left.rowElements; index += 1) {
    if (left.data[index] !== right.data[index]) return false;
  }
  return true;
}

function numbersOf({ data, datatype, rowElements }: KeptOutput, start: number): readonly number[] {
  const row = Array.from(data.slice(start, start + rowElements), Number);
  return datatype === 'FP16' ? row.map((bits) => halfToNumber(bits)) : row;
}

function hasFraction(datatype: Datatype): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}
