/**
 * What an answer says about the version that gave it, besides that it came: whether its numbers are finite, and what it
 * predicts. Looked at on the event loop while a rollout is on, so the effort for one answer is bounded.
 */
import type { Datatype, NumericArray } from '../../runtime/tensor/dtype.ts';
import { halfToNumber } from '../../runtime/tensor/half-float.ts';
import { isNumericColumn } from '../wire/classification.ts';
import type { InferReply, OutputColumn } from '../wire/infer-request.ts';

export interface AnswerEvidence {
  /** Of the numbers that were looked at. */
  readonly isFinite: boolean;
  /** Of the first row: the label, or which of several scores is the largest. Undefined without either. */
  readonly predictedClass: number | undefined;
  /** Of the first row, where it has one number with a fraction and no class. */
  readonly score: number | undefined;
}

/** Elements of one output that are looked at. */
const elementsMax = 4096;

export function answerEvidence({ columns, batched, rowStart, rows }: InferReply): AnswerEvidence {
  let isFinite = true;
  let predictedClass: number | undefined;
  let score: number | undefined;
  for (const { datatype, data, rowElements } of columns) {
    if (!isNumericColumn(data)) continue;
    const start = rowStart * rowElements;
    const elements = Math.min(batched ? rows * rowElements : data.length, elementsMax);
    if (!hasFraction(datatype)) {
      // A label is told apart from other whole numbers by standing alone.
      if (rowElements === 1 && elements > 0) predictedClass ??= Number(data[start]);
      continue;
    }
    isFinite &&= areFinite(data, { datatype, start, end: start + elements });
    if (rowElements > 1)
      predictedClass ??= largest(data, { datatype, start, count: Math.min(rowElements, elementsMax) });
    else if (elements > 0) score ??= numberAt(data, datatype, start);
  }
  return { isFinite, predictedClass, score: predictedClass === undefined ? score : undefined };
}

function hasFraction(datatype: OutputColumn['datatype']): boolean {
  return datatype === 'FP16' || datatype === 'FP32' || datatype === 'FP64';
}

function areFinite(
  data: NumericArray,
  { datatype, start, end }: { readonly datatype: Datatype; readonly start: number; readonly end: number },
): boolean {
  for (let index = start; index < end; index += 1) {
    if (!Number.isFinite(numberAt(data, datatype, index))) return false;
  }
  return true;
}

function largest(
  data: NumericArray,
  { datatype, start, count }: { readonly datatype: Datatype; readonly start: number; readonly count: number },
): number {
  let best = 0;
  let bestValue = -Infinity;
  for (let index = 0; index < count; index += 1) {
    const value = numberAt(data, datatype, start + index);
    if (value <= bestValue || Number.isNaN(value)) continue;
    best = index;
    bestValue = value;
  }
  return best;
}

function numberAt(data: NumericArray, datatype: Datatype, index: number): number {
  const value = Number(data[index]);
  return datatype === 'FP16' ? halfToNumber(value) : value;
}
