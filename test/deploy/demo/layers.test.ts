/** Gradients against slopes measured by moving each value a little: the one fault in training that hides well. */
import { describe, expect, it } from 'vitest';
import { Convolution } from '../../../deploy/demo/layers/convolution.ts';
import { Dense } from '../../../deploy/demo/layers/dense.ts';
import type { Layer } from '../../../deploy/demo/layers/layer.ts';
import { Relu } from '../../../deploy/demo/layers/relu.ts';
import { seededRandom } from '../../../deploy/demo/seeded-random.ts';

const random = seededRandom(7);
const rowCount = 2;

function normals(count: number): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal());
}

/** A loss whose slope by each output is known: a fixed weighted sum. */
function loss(layer: Layer, input: Float32Array, slopes: Float32Array): number {
  return layer.forward(input, rowCount).reduce((sum, value, at) => sum + value * (slopes[at] ?? NaN), 0);
}

/** The slope of the loss by each of `values`, measured by moving it a little. */
function measuredGradient(values: Float32Array, measure: () => number): number[] {
  const step = 1 / 64;
  return Array.from(values, (value, index) => {
    values[index] = value + step;
    const above = measure();
    values[index] = value - step;
    const below = measure();
    values[index] = value;
    return (above - below) / (2 * step);
  });
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, index) => {
    expect(Math.abs((actual[index] ?? NaN) - value)).toBeLessThan(2e-3);
  });
}

const convolution = {
  inputChannels: 2,
  outputChannels: 3,
  inputSide: 5,
  kernelSide: 3,
  stride: 2,
  padding: 1,
};

const cases: readonly (readonly [string, Layer, number])[] = [
  ['a dense layer', new Dense({ inputs: 5, outputs: 3 }, random), 5],
  ['a convolution', new Convolution(convolution, random), 2 * 5 * 5],
  ['a Relu', new Relu(), 7],
];

describe.each(cases)('%s', (_, layer, width) => {
  // Away from zero, where a Relu has a kink that no step may cross.
  const input = normals(rowCount * width).map((value) => value + Math.sign(value) * 0.1);
  const slopes = normals(layer.forward(input, rowCount).length);
  for (const { gradient } of layer.parameters) gradient.fill(0);
  layer.forward(input, rowCount);
  const inputGradient = layer.backward(slopes, true);

  it('has the gradient by its input that is measured', () => {
    expectClose(
      inputGradient ?? [],
      measuredGradient(input, () => loss(layer, input, slopes)),
    );
  });

  it('has the gradient by its parameters that is measured', () => {
    for (const { values, gradient } of layer.parameters) {
      expectClose(
        gradient,
        measuredGradient(values, () => loss(layer, input, slopes)),
      );
    }
  });
});
