/** Models with state whose answers a test can work out: running sums, by rows and with a scalar beside them. */
import { tensor } from '../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../registry-store/onnx/write-model.ts';

export const sumState = [{ input: 'sum', output: 'next', shape: [-1, 2] }] as const;

/** `total = sum + x`, remembered. The version is in the second output, so that a test sees which one answered. */
export function sumModel(version = 1): Uint8Array {
  const graph = new GraphBuilder('sum');
  const sum = graph.input('sum', tensorType('FP32', ['batch', 2]));
  const x = graph.input('x', tensorType('FP32', ['batch', 2]));
  graph.node('Add', [sum, x], { outputs: ['next'] });
  graph.node('Identity', ['next'], { outputs: ['total'] });
  const factor = graph.constant('factor', tensor('FP32', [1, 1], [version]));
  const zero = graph.node('Sub', [x, x], {});
  const ones = graph.node('Exp', [zero], {});
  graph.node('Mul', [ones, factor], { outputs: ['version'] });
  // The state stands in the middle on both sides.
  graph.output('total', tensorType('FP32', ['batch', 2]));
  graph.output('next', tensorType('FP32', ['batch', 2]));
  graph.output('version', tensorType('FP32', ['batch', 2]));
  return writeOnnxModel(graph);
}

export const growingState = [{ input: 'past', output: 'present', shape: [1, 0] }] as const;

/** Remembers all that it was sent, as the cache of a language model does, and answers its sum. */
export function growingModel(): Uint8Array {
  const graph = new GraphBuilder('growing');
  const x = graph.input('x', tensorType('FP32', [1, 'more']));
  const past = graph.input('past', tensorType('FP32', [1, 'length']));
  graph.node('Concat', [past, x], { outputs: ['present'], attributes: { axis: { int: 1 } } });
  graph.node('ReduceSum', ['present'], { outputs: ['sum'], attributes: { keepdims: { int: 0 } } });
  graph.output('present', tensorType('FP32', [1, 'total']));
  graph.output('sum', tensorType('FP32', []));
  return writeOnnxModel(graph);
}
