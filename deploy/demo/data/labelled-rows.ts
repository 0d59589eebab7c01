/**
 * Rows of numbers with their classes, and the split into rows to learn from and rows to be judged by.
 * The split is seeded and takes the same share of every class, so a measured accuracy can be measured again.
 */
import { seededRandom } from '../seeded-random.ts';

export interface LabelledRows {
  /** Row-major, `labels.length` rows of `width` values. */
  readonly values: Float32Array;
  readonly width: number;
  readonly labels: Uint8Array;
}

export interface Split {
  readonly train: LabelledRows;
  /** Never seen by training, neither for weights nor for means and deviations. */
  readonly heldOut: LabelledRows;
}

export function splitByClass(rows: LabelledRows, options: { heldOutShare: number; seed: number }): Split {
  const random = seededRandom(options.seed);
  const byClass = new Map<number, number[]>();
  for (const row of random.permutation(rows.labels.length)) {
    const label = rows.labels[row] ?? 0;
    const members = byClass.get(label);
    if (members === undefined) byClass.set(label, [row]);
    else members.push(row);
  }
  const train: number[] = [];
  const heldOut: number[] = [];
  for (const members of byClass.values()) {
    const heldOutCount = Math.round(members.length * options.heldOutShare);
    heldOut.push(...members.slice(0, heldOutCount));
    train.push(...members.slice(heldOutCount));
  }
  return { train: pickRows(rows, train), heldOut: pickRows(rows, heldOut) };
}

/** A copy of the named rows, in the order named. */
export function pickRows(rows: LabelledRows, indexes: readonly number[]): LabelledRows {
  const { width } = rows;
  const values = new Float32Array(indexes.length * width);
  const labels = new Uint8Array(indexes.length);
  indexes.forEach((from, to) => {
    values.set(rows.values.subarray(from * width, (from + 1) * width), to * width);
    labels[to] = rows.labels[from] ?? 0;
  });
  return { values, width, labels };
}
