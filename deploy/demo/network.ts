/**
 * A stack of layers with softmax on top, and how it learns: mini-batches, cross-entropy, Adam.
 * Seeded throughout and in plain arithmetic, so that training it twice gives the same weights bit by bit.
 */
import { pickRows } from './data/labelled-rows.ts';
import type { LabelledRows } from './data/labelled-rows.ts';
import type { Layer, Parameters } from './layers/layer.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface Schedule {
  readonly epochs: number;
  readonly batchRows: number;
  /** Step size at the start; it falls in a straight line to a twentieth of that. */
  readonly learningRate: number;
  /** How strongly weights are pulled to zero, as a share of the step size. */
  readonly weightDecay: number;
  /** Changes each row before it is learned from, in place: an invented example that means the same. */
  readonly augment?: (row: Float32Array, random: SeededRandom) => void;
}

export interface Progress {
  readonly epoch: number;
  readonly epochs: number;
  /** Mean cross-entropy of the epoch, in nats. */
  readonly loss: number;
}

/** Class probabilities, [rows, classes] row-major. */
export function predict(layers: readonly Layer[], { values, labels }: LabelledRows): Float32Array {
  const logits = layers.reduce((input, layer) => layer.forward(input, labels.length), values);
  return softmax(logits, labels.length);
}

export function train(
  layers: readonly Layer[],
  rows: LabelledRows,
  options: { schedule: Schedule; random: SeededRandom; onEpoch: (progress: Progress) => void },
): void {
  const { schedule, random, onEpoch } = options;
  const { epochs, batchRows } = schedule;
  const adam = new Adam(
    layers.flatMap((layer) => layer.parameters),
    schedule.weightDecay,
  );
  const stepCount = epochs * Math.ceil(rows.labels.length / batchRows);
  let step = 0;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = [...random.permutation(rows.labels.length)];
    let lossSum = 0;
    for (let from = 0; from < order.length; from += batchRows, step++) {
      const batch = pickRows(rows, order.slice(from, from + batchRows));
      if (schedule.augment !== undefined) augmentRows(batch, schedule.augment, random);
      lossSum += accumulateGradients(layers, batch);
      adam.step(schedule.learningRate * (1 - 0.95 * (step / stepCount)));
    }
    onEpoch({ epoch, epochs, loss: lossSum / order.length });
  }
}

function augmentRows(
  batch: LabelledRows,
  augment: NonNullable<Schedule['augment']>,
  random: SeededRandom,
): void {
  const { values, width } = batch;
  for (let at = 0; at < values.length; at += width) augment(values.subarray(at, at + width), random);
}

/** Returns the summed loss of the batch. */
function accumulateGradients(layers: readonly Layer[], batch: LabelledRows): number {
  const rowCount = batch.labels.length;
  const probabilities = predict(layers, batch);
  const classes = probabilities.length / rowCount;
  let loss = 0;
  // The slope of cross-entropy behind softmax is the probability, minus one for the right class.
  let gradient: Float32Array | undefined = probabilities;
  batch.labels.forEach((label, row) => {
    const at = row * classes + label;
    loss -= Math.log(Math.max(probabilities[at] ?? 0, 1e-12));
    probabilities[at] = (probabilities[at] ?? 0) - 1;
  });
  probabilities.forEach((slope, at) => (probabilities[at] = slope / rowCount));

  const first = layers.findIndex((layer) => layer.parameters.length > 0);
  for (let index = layers.length - 1; index >= first && gradient !== undefined; index--) {
    gradient = layers[index]?.backward(gradient, index > first);
  }
  return loss;
}

function softmax(logits: Float32Array, rowCount: number): Float32Array {
  const classes = logits.length / rowCount;
  const probabilities = new Float32Array(logits.length);
  for (let from = 0; from < logits.length; from += classes) {
    const row = logits.subarray(from, from + classes);
    const largest = row.reduce((max, value) => Math.max(max, value), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    row.forEach((value, index) => (probabilities[from + index] = Math.exp(value - largest) / sum));
  }
  return probabilities;
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019, "AdamW"); clears the gradients it has used. */
class Adam {
  private readonly all: readonly (Parameters & {
    readonly mean: Float32Array;
    readonly square: Float32Array;
  })[];
  private readonly weightDecay: number;
  private meanBias = 1;
  private squareBias = 1;

  constructor(parameters: readonly Parameters[], weightDecay: number) {
    this.weightDecay = weightDecay;
    this.all = parameters.map(({ values, gradient }) => ({
      values,
      gradient,
      mean: new Float32Array(values.length),
      square: new Float32Array(values.length),
    }));
  }

  step(learningRate: number): void {
    this.meanBias *= 0.9;
    this.squareBias *= 0.999;
    const meanScale = 1 / (1 - this.meanBias);
    const squareScale = 1 / (1 - this.squareBias);
    for (const { values, gradient, mean, square } of this.all) {
      for (let index = 0; index < values.length; index++) {
        const slope = gradient[index] ?? 0;
        const value = values[index] ?? 0;
        const newMean = 0.9 * (mean[index] ?? 0) + 0.1 * slope;
        const newSquare = 0.999 * (square[index] ?? 0) + 0.001 * slope * slope;
        const direction = (newMean * meanScale) / (Math.sqrt(newSquare * squareScale) + 1e-8);
        mean[index] = newMean;
        square[index] = newSquare;
        values[index] = value - learningRate * (direction + this.weightDecay * value);
        gradient[index] = 0;
      }
    }
  }
}
