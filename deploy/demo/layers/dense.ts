/**
 * A fully connected layer: each output is a weighted sum of all inputs plus a bias. In ONNX it is one Gemm.
 */
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { parametersOf } from './layer.ts';
import type { Layer, Parameters } from './layer.ts';

export class Dense implements Layer {
  readonly parameters: readonly Parameters[];
  /** [inputs, outputs], so that the inner loop over outputs walks memory in order. */
  readonly weights: Parameters;
  readonly biases: Parameters;
  private readonly inputs: number;
  private readonly outputs: number;
  private input: Float32Array = new Float32Array(0);

  /** Weights start normal with variance 2 / inputs (He), biases at zero. */
  constructor(size: { readonly inputs: number; readonly outputs: number }, random: SeededRandom) {
    this.inputs = size.inputs;
    this.outputs = size.outputs;
    const deviation = Math.sqrt(2 / size.inputs);
    const start = new Float32Array(size.inputs * size.outputs).map(() => random.normal() * deviation);
    this.weights = parametersOf(start);
    this.biases = parametersOf(new Float32Array(size.outputs));
    this.parameters = [this.weights, this.biases];
  }

  forward(input: Float32Array, rowCount: number): Float32Array {
    this.input = input;
    const { inputs, outputs } = this;
    const weights = this.weights.values;
    const output = new Float32Array(rowCount * outputs);
    for (let row = 0; row < rowCount; row++) {
      const outputAt = row * outputs;
      output.set(this.biases.values, outputAt);
      for (let from = 0; from < inputs; from++) {
        const value = input[row * inputs + from] ?? 0;
        // Four pixels in five are paper, and behind a Relu half the values are zero.
        if (value === 0) continue;
        for (let to = 0, weightAt = from * outputs; to < outputs; to++, weightAt++) {
          output[outputAt + to] = (output[outputAt + to] ?? 0) + value * (weights[weightAt] ?? 0);
        }
      }
    }
    return output;
  }

  backward(gradient: Float32Array, inputWanted: boolean): Float32Array | undefined {
    this.addParameterGradients(gradient);
    return inputWanted ? this.inputGradient(gradient) : undefined;
  }

  private addParameterGradients(gradient: Float32Array): void {
    const { inputs, outputs, input } = this;
    const weightGradient = this.weights.gradient;
    const biasGradient = this.biases.gradient;
    for (let slopeAt = 0, inputAt = 0; slopeAt < gradient.length; slopeAt += outputs) {
      for (let to = 0; to < outputs; to++) {
        biasGradient[to] = (biasGradient[to] ?? 0) + (gradient[slopeAt + to] ?? 0);
      }
      for (let from = 0; from < inputs; from++, inputAt++) {
        const value = input[inputAt] ?? 0;
        if (value === 0) continue;
        for (let to = 0, weightAt = from * outputs; to < outputs; to++, weightAt++) {
          weightGradient[weightAt] = (weightGradient[weightAt] ?? 0) + value * (gradient[slopeAt + to] ?? 0);
        }
      }
    }
  }

  private inputGradient(gradient: Float32Array): Float32Array {
    const { inputs, outputs } = this;
    const weights = this.weights.values;
    const result = new Float32Array((gradient.length / outputs) * inputs);
    for (let slopeAt = 0, inputAt = 0; slopeAt < gradient.length; slopeAt += outputs) {
      for (let from = 0; from < inputs; from++, inputAt++) {
        let sum = 0;
        for (let to = 0, weightAt = from * outputs; to < outputs; to++, weightAt++) {
          sum += (gradient[slopeAt + to] ?? 0) * (weights[weightAt] ?? 0);
        }
        result[inputAt] = sum;
      }
    }
    return result;
  }

  addTo(graph: GraphBuilder, input: string): string {
    const { values: weights } = this.weights;
    const shape = [this.inputs, this.outputs];
    return graph.node('Gemm', [
      input,
      graph.constant(`${input}_weights`, tensor('FP32', shape, weights)),
      graph.constant(`${input}_biases`, tensor('FP32', [this.outputs], this.biases.values)),
    ]);
  }
}
