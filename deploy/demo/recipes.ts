/**
 * The four demo models as recipes: where the rows come from, which layers, how long to train, what to say about it.
 * Version 1.0.0 of each is the simplest model that works and 2.0.0 a better one, so that a rollout from one to the
 * other has something to show.
 */
import { digitRows } from './data/digits.ts';
import { irisRows } from './data/iris.ts';
import type { LabelledRows, Split } from './data/labelled-rows.ts';
import type { ClassifierShape } from './classifier-file.ts';
import { Convolution } from './layers/convolution.ts';
import { Dense } from './layers/dense.ts';
import { Flatten } from './layers/flatten.ts';
import type { Layer } from './layers/layer.ts';
import { Relu } from './layers/relu.ts';
import { Standardize } from './layers/standardize.ts';
import type { Schedule } from './network.ts';
import type { SeededRandom } from './seeded-random.ts';

export interface Recipe {
  readonly version: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly seed: number;
  readonly schedule: Schedule;
  readonly layers: (train: LabelledRows, random: SeededRandom) => readonly Layer[];
}

export interface Subject {
  readonly shape: ClassifierShape;
  readonly rows: () => Split;
  readonly recipes: readonly Recipe[];
}

const iris: Subject = {
  shape: {
    name: 'iris',
    inputName: 'features',
    inputShape: [4],
    inputMeaning: 'sepal length, sepal width, petal length, petal width, in centimetres',
    classNames: ['setosa', 'versicolor', 'virginica'],
  },
  rows: irisRows,
  recipes: [
    {
      version: '1.0.0',
      description: 'Species of an iris from four lengths in cm: multinomial logistic regression.',
      tags: ['demo', 'tabular', 'linear'],
      seed: 1,
      schedule: { epochs: 150, batchRows: 15, learningRate: 0.05, weightDecay: 0.01 },
      layers: (train, random) => [new Standardize(train), new Dense({ inputs: 4, outputs: 3 }, random)],
    },
    {
      version: '2.0.0',
      description: 'Species of an iris from four lengths in cm: one hidden layer of 16.',
      tags: ['demo', 'tabular', 'mlp'],
      seed: 2,
      schedule: { epochs: 100, batchRows: 15, learningRate: 0.02, weightDecay: 0.02 },
      layers: (train, random) => [
        new Standardize(train),
        new Dense({ inputs: 4, outputs: 16 }, random),
        new Relu(),
        new Dense({ inputs: 16, outputs: 3 }, random),
      ],
    },
  ],
};

const digits: Subject = {
  shape: {
    name: 'digits',
    inputName: 'image',
    inputShape: [1, 28, 28],
    inputMeaning: 'gray image of 28 by 28 pixels, 0 is paper and 1 is ink, the digit upright and centred',
    classNames: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  },
  rows: digitRows,
  recipes: [
    {
      version: '1.0.0',
      description: 'Handwritten digit of a 28 by 28 image: softmax over the pixels, no hidden layer.',
      tags: ['demo', 'image', 'linear'],
      seed: 3,
      schedule: { epochs: 12, batchRows: 32, learningRate: 0.003, weightDecay: 0.01 },
      layers: (_train, random) => [new Flatten(), new Dense({ inputs: 784, outputs: 10 }, random)],
    },
    {
      version: '2.0.0',
      description:
        'Handwritten digit of a 28 by 28 image: two convolutions and a dense layer, trained on shifted copies.',
      tags: ['demo', 'image', 'cnn'],
      seed: 4,
      schedule: { epochs: 11, batchRows: 32, learningRate: 0.004, weightDecay: 0.01, augment: shiftImage },
      layers: (_train, random) => [
        new Convolution(
          { inputChannels: 1, outputChannels: 8, inputSide: 28, kernelSide: 5, stride: 2, padding: 2 },
          random,
        ),
        new Relu(),
        new Convolution(
          { inputChannels: 8, outputChannels: 16, inputSide: 14, kernelSide: 3, stride: 2, padding: 1 },
          random,
        ),
        new Relu(),
        new Flatten(),
        new Dense({ inputs: 784, outputs: 48 }, random),
        new Relu(),
        new Dense({ inputs: 48, outputs: 10 }, random),
      ],
    },
  ],
};

export const subjects: readonly Subject[] = [iris, digits];

/** Moves a digit by up to two pixels each way; what leaves the image is lost, what comes in is paper. */
function shiftImage(image: Float32Array, random: SeededRandom): void {
  const side = 28;
  const right = random.below(5) - 2;
  const down = random.below(5) - 2;
  const original = image.slice();
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const fromX = x - right;
      const fromY = y - down;
      const inside = fromX >= 0 && fromX < side && fromY >= 0 && fromY < side;
      image[y * side + x] = inside ? (original[fromY * side + fromX] ?? 0) : 0;
    }
  }
}
