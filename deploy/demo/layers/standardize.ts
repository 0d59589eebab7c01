/**
 * Brings every feature to mean 0 and deviation 1, with means and deviations of the training rows.
 * Nothing here is trained by gradient, and it must stand first: it gives no gradient by its input. In ONNX it is Sub
 * and Div, so clients send plain centimetres.
 */
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';
import type { LabelledRows } from '../data/labelled-rows.ts';
import type { Layer, Parameters } from './layer.ts';

export class Standardize implements Layer {
  readonly parameters: readonly Parameters[] = [];
  private readonly means: Float32Array;
  private readonly deviations: Float32Array;

  constructor({ values, width, labels }: LabelledRows) {
    const rowCount = labels.length;
    const sums = new Float64Array(width);
    values.forEach((value, at) => (sums[at % width] = (sums[at % width] ?? 0) + value));
    this.means = Float32Array.from(sums, (sum) => sum / rowCount);
    const squares = new Float64Array(width);
    values.forEach((value, at) => {
      const distance = value - (this.means[at % width] ?? 0);
      squares[at % width] = (squares[at % width] ?? 0) + distance * distance;
    });
    this.deviations = Float32Array.from(squares, (sum) => Math.sqrt(sum / rowCount));
  }

  forward(input: Float32Array): Float32Array {
    const width = this.means.length;
    return input.map(
      (value, at) => (value - (this.means[at % width] ?? 0)) / (this.deviations[at % width] ?? 1),
    );
  }

  backward(): undefined {
    return undefined;
  }

  addTo(graph: GraphBuilder, input: string): string {
    const shape = [this.means.length];
    const centred = graph.node('Sub', [input, graph.constant('means', tensor('FP32', shape, this.means))]);
    return graph.node('Div', [centred, graph.constant('deviations', tensor('FP32', shape, this.deviations))]);
  }
}
