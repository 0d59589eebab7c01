/**
 * Lays the planes of an image out as one row. In memory they are one already; only the ONNX graph has to be told.
 */
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';
import type { Layer, Parameters } from './layer.ts';

export class Flatten implements Layer {
  readonly parameters: readonly Parameters[] = [];

  forward(input: Float32Array): Float32Array {
    return input;
  }

  backward(gradient: Float32Array): Float32Array {
    return gradient;
  }

  addTo(graph: GraphBuilder, input: string): string {
    return graph.node('Flatten', [input], { attributes: { axis: { int: 1 } } });
  }
}
