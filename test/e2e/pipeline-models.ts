/**
 * Models that go before and after the handwritten digits of the demo: pixels as a camera gives them become what the digits
 * model takes, and what it gives becomes what a caller wants to read. And the odd ones that no pipeline should take.
 */
import { demoModels } from '../../deploy/demo/demo-models.ts';
import { tensor } from '../../registry-store/onnx/tensor-value.ts';
import {
  type Dimension,
  GraphBuilder,
  tensorType,
  type WriteOptions,
  writeOnnxModel,
} from '../../registry-store/onnx/write-model.ts';

/** A handwritten four as a camera gives it: UINT8 [28, 28]. */
export const fourPixels: readonly number[] = (
  demoModels().find(({ name }) => name === 'digits')?.sample.values ?? []
).map((value) => Math.round(value * 255));

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const castToFloat = { attributes: { to: { int: 1 } } } as const;

/** `pixels` UINT8 [rows, 28, 28] of 0 to 255 become `scaled` FP32 [rows, 1, 28, 28] of 0 to 1. */
export function scaleModel(whole = 255, options: WriteOptions = {}): Uint8Array {
  const graph = new GraphBuilder('scale');
  const pixels = graph.input('pixels', tensorType('UINT8', ['batch', 28, 28]));
  const numbers = graph.node('Cast', [pixels], castToFloat);
  const shares = graph.node('Div', [numbers, graph.constant('whole', tensor('FP32', [], [whole]))]);
  const shape = graph.constant('shape', tensor('INT64', [4], [0, 1, 28, 28]));
  graph.node('Reshape', [shares, shape], { outputs: ['scaled'] });
  graph.output('scaled', tensorType('FP32', ['batch', 1, 28, 28]));
  return writeOnnxModel(graph, options);
}

/** `scores` FP32 [rows, 10] become the most likely digits, `digits` INT64 [rows, 3], and the first of them as a `word` BYTES [rows]. */
export function topDigitsModel(options: WriteOptions = {}): Uint8Array {
  const graph = new GraphBuilder('top-digits');
  const scores = graph.input('scores', tensorType('FP32', ['batch', 10]));
  const count = graph.constant('count', tensor('INT64', [1], [3]));
  graph.node('TopK', [scores, count], { outputs: ['best', 'digits'], attributes: { axis: { int: 1 } } });
  const first = graph.node('ArgMax', [scores], {
    attributes: { axis: { int: 1 }, keepdims: { int: 0 } },
  });
  graph.node('Gather', [graph.constant('words', tensor('BYTES', [10], words)), first], {
    outputs: ['word'],
  });
  graph.output('digits', tensorType('INT64', ['batch', 3]));
  graph.output('word', tensorType('BYTES', ['batch']));
  return writeOnnxModel(graph, options);
}

/** `y = a * x + b` for FP32 of this shape: small numbers, so that a chain of them can be worked out by hand. */
export function linearModel(
  { a, b }: { readonly a: number; readonly b: number },
  shape: readonly Dimension[] = ['batch', 2],
): Uint8Array {
  const graph = new GraphBuilder('linear');
  const x = graph.input('x', tensorType('FP32', shape));
  const product = graph.node('Mul', [x, graph.constant('a', tensor('FP32', [], [a]))]);
  graph.node('Add', [product, graph.constant('b', tensor('FP32', [], [b]))], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', shape));
  return writeOnnxModel(graph);
}

/** `sum = y + offset`, of which a model before it gives only `y`; `unused` is there for nobody. */
export function offsetModel(): Uint8Array {
  const graph = new GraphBuilder('offset');
  const y = graph.input('y', tensorType('FP32', ['batch', 2]));
  const offset = graph.input('offset', tensorType('FP32', ['batch', 2]));
  graph.node('Add', [y, offset], { outputs: ['sum'] });
  graph.node('Sub', [y, offset], { outputs: ['unused'] });
  graph.output('unused', tensorType('FP32', ['batch', 2]));
  graph.output('sum', tensorType('FP32', ['batch', 2]));
  return writeOnnxModel(graph);
}

/** `kept` are the rows whose number is positive: the signature promises a batch, the values decide. */
export function positiveModel(): Uint8Array {
  const graph = new GraphBuilder('positive');
  const x = graph.input('x', tensorType('FP32', ['batch']));
  const positive = graph.node('Greater', [x, graph.node('Sub', [x, x])]);
  graph.node('Compress', [x, positive], { outputs: ['kept'], attributes: { axis: { int: 0 } } });
  graph.output('kept', tensorType('FP32', ['batch']));
  return writeOnnxModel(graph);
}
