/**
 * What every layer of a network can do: compute, learn from a gradient, and write itself into an ONNX graph.
 * All three live in one file per layer, so that what is trained and what is shipped cannot drift apart.
 */
import type { GraphBuilder } from '../../../registry-store/onnx/write-model.ts';

/** Numbers that training changes, with the gradient of the current batch. */
export interface Parameters {
  readonly values: Float32Array;
  readonly gradient: Float32Array;
}

export interface Layer {
  readonly parameters: readonly Parameters[];
  /** Row-major in and out. The layer remembers the input until `backward`. */
  forward(input: Float32Array, rowCount: number): Float32Array;
  /**
   * Takes the gradient of the loss by this layer's output, adds to the gradients of its parameters, and gives the
   * gradient by its input; undefined when `inputWanted` is false, which spares the first layer the work.
   */
  backward(gradient: Float32Array, inputWanted: boolean): Float32Array | undefined;
  /** Adds the layer's nodes behind the value called `input`; returns the name of its output. */
  addTo(graph: GraphBuilder, input: string): string;
}

export function parametersOf(values: Float32Array): Parameters {
  return { values, gradient: new Float32Array(values.length) };
}
