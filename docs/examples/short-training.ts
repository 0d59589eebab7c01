/**
 * A version of the demo model `digits`, trained in seconds instead of minutes: the recipe as it is, on a third of the images and
 * once over them. It is a real training, so the accuracy is measured and lower than that of the models in deploy/demo.
 */
import assert from 'node:assert/strict';
import { type LabelledRows, pickRows } from '../../deploy/demo/data/labelled-rows.ts';
import { subjects } from '../../deploy/demo/recipes.ts';
import { type TrainedModel, trainModel } from '../../deploy/demo/train-model.ts';

/** Images as the model takes them, `[images, channel, rows, columns]`, and the digit that each of them shows. */
export interface Images {
  readonly pixels: readonly (readonly number[][][])[];
  readonly labels: readonly number[];
}

export interface TrainedDigits extends TrainedModel {
  readonly description: string;
  readonly trainedOn: number;
}

const digits = subjects.find(({ shape }) => shape.name === 'digits');
assert(digits !== undefined);
const { shape, rows, recipes } = digits;
const all = rows();
const third = { train: everyNth(all.train, 3), heldOut: everyNth(all.heldOut, 3) };

/** The same numbers on every run: the training is seeded. */
export async function trainDigits(version: string): Promise<TrainedDigits> {
  const recipe = recipes.find((one) => one.version === version);
  assert(recipe !== undefined, `there is no recipe for digits ${version}`);
  const short = { ...recipe, schedule: { ...recipe.schedule, epochs: 1 } };
  const trained = await trainModel({ shape, rows, recipes }, short, {
    split: third,
    onEpoch: () => undefined,
  });
  return { ...trained, description: recipe.description, trainedOn: third.train.labels.length };
}

/** Of those that no training has seen, some of every digit. */
export function unseenImages(count: number): Images {
  const { heldOut } = third;
  const { values, labels } = everyNth(heldOut, Math.floor(heldOut.labels.length / count));
  const [, height = 0, width = 0] = shape.inputShape;
  const line = (start: number): number[] => Array.from(values.subarray(start, start + width));
  const image = (start: number): number[][] =>
    Array.from({ length: height }, (_, row) => line(start + row * width));
  return {
    pixels: Array.from(labels, (_, index) => [image(index * height * width)]),
    labels: [...labels],
  };
}

/** The rows are in the order of their classes, so this takes the same share of each. */
function everyNth(from: LabelledRows, step: number): LabelledRows {
  const indexes = Array.from({ length: Math.floor(from.labels.length / step) }, (_, index) => step * index);
  return pickRows(from, indexes);
}
