/** Models of one FP32 value a row for tests of the pool: `y` is `x`, at once or after a while. */
import { GraphBuilder, tensorType, writeOnnxModel } from '../../../registry-store/onnx/write-model.ts';
import { tensor } from '../../../registry-store/onnx/tensor-value.ts';

const type = tensorType('FP32', ['batch', 1]);

/** `weights` unused numbers make the file larger. */
export function rowModel(weights = 0): Uint8Array {
  const graph = new GraphBuilder('row');
  const x = graph.input('x', type);
  if (weights > 0) {
    const ballast = graph.constant('ballast', tensor('FP32', [weights], new Array<number>(weights).fill(1)));
    const none = graph.node('Mul', [
      graph.node('ReduceMax', [ballast], { attributes: { keepdims: { int: 0 } } }),
      graph.constant('zero', tensor('FP32', [], [0])),
    ]);
    graph.node('Add', [x, none], { outputs: ['y'] });
  } else graph.node('Identity', [x], { outputs: ['y'] });
  graph.output('y', type);
  return writeOnnxModel(graph);
}

/** Goes round in a loop as many times as its largest value says, inside of the runtime. */
export function spinModel(): Uint8Array {
  const body = new GraphBuilder('body');
  body.input('i', tensorType('INT64', []));
  const going = body.input('going', tensorType('BOOL', []));
  const before = body.input('before', type);
  body.node('Identity', [going], { outputs: ['going_on'] });
  body.node('Identity', [before], { outputs: ['after'] });
  body.output('going_on', tensorType('BOOL', []));
  body.output('after', type);

  const graph = new GraphBuilder('spin');
  const x = graph.input('x', type);
  const largest = graph.node('ReduceMax', [x], { attributes: { keepdims: { int: 0 } } });
  const rounds = graph.node('Cast', [largest], { attributes: { to: { int: 7 } } });
  const always = graph.constant('always', tensor('BOOL', [], [1]));
  graph.node('Loop', [rounds, always, x], { outputs: ['y'], attributes: { body: { graph: body } } });
  graph.output('y', type);
  return writeOnnxModel(graph);
}

/** `width` copies of each value: small inputs with large results. */
export function widenModel(width: number): Uint8Array {
  const graph = new GraphBuilder('widen');
  const ones = graph.constant('ones', tensor('FP32', [1, width], new Array<number>(width).fill(1)));
  graph.node('MatMul', [graph.input('x', type), ones], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', width]));
  return writeOnnxModel(graph);
}

/** Needs room for as many FP32 numbers as its largest value says, for a moment; `y` is `x`. */
export function hoardModel(): Uint8Array {
  const graph = new GraphBuilder('hoard');
  const x = graph.input('x', type);
  const largest = graph.node('ReduceMax', [x], { attributes: { keepdims: { int: 0 } } });
  const count = graph.node('Cast', [largest], { attributes: { to: { int: 7 } } });
  const shape = graph.node('Reshape', [count, graph.constant('one', tensor('INT64', [1], [1n]))]);
  const zeros = graph.node('ConstantOfShape', [shape]);
  const none = graph.node('ReduceMax', [zeros], { attributes: { keepdims: { int: 0 } } });
  graph.node('Add', [x, none], { outputs: ['y'] });
  graph.output('y', type);
  return writeOnnxModel(graph);
}
