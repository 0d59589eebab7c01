/**
 * A trained network as an ONNX file: one input, and two outputs, the class and the probabilities of all classes.
 * Names of classes and the meaning of the input go into the file's own metadata, so the file explains itself.
 */
import { GraphBuilder, tensorType, writeOnnxModel } from '../../registry-store/onnx/write-model.ts';
import type { Layer } from './layers/layer.ts';

export interface ClassifierShape {
  readonly name: string;
  readonly inputName: string;
  /** Of one row, without the batch. */
  readonly inputShape: readonly number[];
  readonly inputMeaning: string;
  readonly classNames: readonly string[];
}

export function writeClassifier(shape: ClassifierShape, layers: readonly Layer[]): Uint8Array {
  const graph = new GraphBuilder(shape.name);
  const input = graph.input(shape.inputName, tensorType('FP32', ['batch', ...shape.inputShape]));
  const logits = layers.reduce((value, layer) => layer.addTo(graph, value), input);
  graph.node('Softmax', [logits], { outputs: ['probabilities'], attributes: { axis: { int: 1 } } });
  graph.node('ArgMax', [logits], {
    outputs: ['label'],
    attributes: { axis: { int: 1 }, keepdims: { int: 0 } },
  });
  graph.output('label', tensorType('INT64', ['batch']));
  graph.output('probabilities', tensorType('FP32', ['batch', shape.classNames.length]));
  const metadata = { input: shape.inputMeaning, classes: shape.classNames.join(',') };
  return writeOnnxModel(graph, { producer: 'tidegate-demo', metadata });
}
