/**
 * One recipe from rows to a finished file: train, write, run the file, compare, measure.
 * It touches no disk, so a test can train again and compare with what is committed.
 */
import { writeClassifier } from './classifier-file.ts';
import type { Split } from './data/labelled-rows.ts';
import { measure, runModel } from './measure.ts';
import type { Metrics } from './measure.ts';
import { predict, train } from './network.ts';
import type { Progress } from './network.ts';
import type { Recipe, Subject } from './recipes.ts';
import { seededRandom } from './seeded-random.ts';

export interface TrainedModel {
  readonly file: Uint8Array;
  readonly metrics: Metrics;
  /** Class that the file gives for each held-out row. */
  readonly heldOutLabels: readonly number[];
}

/** The runtime adds in another order than the trainer, so the last bits differ; anything more is a wrong export. */
const probabilityDifferenceMax = 1e-4;

export async function trainModel(
  { shape }: Subject,
  recipe: Recipe,
  options: { split: Split; onEpoch: (progress: Progress) => void },
): Promise<TrainedModel> {
  const { split, onEpoch } = options;
  const random = seededRandom(recipe.seed);
  const layers = recipe.layers(split.train, random);
  train(layers, split.train, { schedule: recipe.schedule, random, onEpoch });

  const file = writeClassifier(shape, layers);
  const predictions = await runModel(file, shape.inputShape, split.heldOut);
  const expected = predict(layers, split.heldOut);
  const difference = predictions.probabilities.reduce(
    (largest, value, at) => Math.max(largest, Math.abs(value - (expected[at] ?? NaN))),
    0,
  );
  // Written so that NaN fails too.
  if (!(difference <= probabilityDifferenceMax)) {
    throw new Error(`${shape.name} ${recipe.version}: the file differs from the trainer by ${difference}`);
  }
  return { file, metrics: measure(predictions, split.heldOut), heldOutLabels: predictions.labels };
}
