/**
 * Cuts negative values off at zero. It has nothing to learn; it is what makes a stack of sums more than one sum.
 */
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';
import type { Layer, Parameters } from './layer.ts';

export class Relu implements Layer {
  readonly parameters: readonly Parameters[] = [];
  private output: Float32Array = new Float32Array(0);

  forward(input: Float32Array): Float32Array {
    this.output = input.map((value) => (value > 0 ? value : 0));
    return this.output;
  }

  backward(gradient: Float32Array): Float32Array {
    return gradient.map((slope, index) => ((this.output[index] ?? 0) > 0 ? slope : 0));
  }

  addTo(graph: GraphBuilder, input: string): string {
    return graph.node('Relu', [input]);
  }
}
