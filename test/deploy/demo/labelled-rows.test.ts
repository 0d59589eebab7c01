/** Held-out rows stay held out: the split is complete, even across classes, and seeded. */
import { describe, expect, it } from 'vitest';
import { digitRows } from '../../../deploy/demo/data/digits.ts';
import { irisRows } from '../../../deploy/demo/data/iris.ts';
import type { LabelledRows } from '../../../deploy/demo/data/labelled-rows.ts';
import { splitByClass } from '../../../deploy/demo/data/labelled-rows.ts';

function countByClass({ labels }: LabelledRows): number[] {
  const counts: number[] = [];
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** A row's only value is its number, so that rows can be told apart. */
const numbered: LabelledRows = {
  values: Float32Array.from({ length: 100 }, (_, row) => row),
  width: 1,
  labels: Uint8Array.from({ length: 100 }, (_, row) => (row < 70 ? 0 : 1)),
};

describe('the split into training and held-out rows', () => {
  it('loses no row, doubles none, and keeps each row with its label', () => {
    const { train, heldOut } = splitByClass(numbered, { heldOutShare: 0.2, seed: 1 });
    const rows = [...train.values, ...heldOut.values].sort((left, right) => left - right);
    expect(rows).toEqual([...numbered.values]);
    for (const part of [train, heldOut]) {
      part.labels.forEach((label, at) => {
        expect(label).toBe(numbered.labels[part.values[at] ?? -1]);
      });
    }
  });

  it('takes the same share of every class', () => {
    const { train, heldOut } = splitByClass(numbered, { heldOutShare: 0.2, seed: 1 });
    expect(countByClass(heldOut)).toEqual([14, 6]);
    expect(countByClass(train)).toEqual([56, 24]);
  });

  it('depends on the seed and on nothing else', () => {
    const split = (seed: number): Float32Array =>
      splitByClass(numbered, { heldOutShare: 0.2, seed }).heldOut.values;
    expect(split(1)).toEqual(split(1));
    expect(split(1)).not.toEqual(split(2));
  });

  it('gives the rows that the model cards speak of', () => {
    const iris = irisRows();
    expect(countByClass(iris.train)).toEqual([25, 25, 25]);
    expect(countByClass(iris.heldOut)).toEqual([25, 25, 25]);
    const digits = digitRows();
    expect([digits.train.labels.length, digits.heldOut.labels.length]).toEqual([8000, 2000]);
    expect(digits.heldOut.values.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
  });
});
