/**
 * Small ONNX models with one property each: they give back what they get, fail on some values, mix their rows. Built in
 * memory, so that a test can read what a model does beside what it expects.
 */
import {
  GraphBuilder,
  type Dimension,
  tensorType,
  writeOnnxModel,
} from '../../registry-store/onnx/write-model.ts';
import { tensor } from '../../registry-store/onnx/tensor-value.ts';
import type { Datatype } from '../../runtime/tensor/dtype.ts';

export interface Port {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly Dimension[];
}

/** Every output is the input beside it: `y0` is `x0`, `y1` is `x1` and so on. */
export function echoModel(ports: readonly Omit<Port, 'name'>[]): Uint8Array {
  const graph = new GraphBuilder('echo');
  const inputs = ports.map(({ datatype, shape }, index) =>
    graph.input(`x${index}`, tensorType(datatype, shape)),
  );
  for (const [index, { datatype, shape }] of ports.entries()) {
    graph.node('Identity', [inputs[index] ?? ''], { outputs: [`y${index}`] });
    graph.output(`y${index}`, tensorType(datatype, shape));
  }
  return writeOnnxModel(graph);
}

/** Rows of five numbers and a ticket, given back as they are: equal numbers prove that no answer holds another's rows. */
export function ticketModel(): Uint8Array {
  const graph = new GraphBuilder('ticket');
  const values = graph.input('values_in', tensorType('FP32', ['batch', 5]));
  const ticket = graph.input('ticket_in', tensorType('INT64', ['batch']));
  graph.node('Identity', [values], { outputs: ['values'] });
  graph.node('Identity', [ticket], { outputs: ['ticket'] });
  graph.output('values', tensorType('FP32', ['batch', 5]));
  graph.output('ticket', tensorType('INT64', ['batch']));
  return writeOnnxModel(graph);
}

/** Looks `index` up in a table of squares; the runtime fails for an index outside it. */
export function lookupModel(size = 10): Uint8Array {
  const graph = new GraphBuilder('lookup');
  const index = graph.input('index', tensorType('INT64', ['batch']));
  const squares = graph.constant(
    'squares',
    tensor(
      'FP32',
      [size],
      Array.from({ length: size }, (_, value) => value * value),
    ),
  );
  graph.node('Gather', [squares, index], { outputs: ['square'] });
  graph.output('square', tensorType('FP32', ['batch']));
  return writeOnnxModel(graph);
}

/** Every row is answered with the sum of all rows of the run: joining requests would change their answers. */
export function mixingModel(): Uint8Array {
  const graph = new GraphBuilder('mixing');
  const x = graph.input('x', tensorType('FP32', ['batch', 3]));
  const sum = graph.node('ReduceSum', [x, graph.constant('axes', tensor('INT64', [1], [0]))], {
    attributes: { keepdims: { int: 1 } },
  });
  graph.node('Add', [x, sum], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 3]));
  return writeOnnxModel(graph);
}

/** Says of itself that its rows are a batch, but answers all rows with one. */
export function collapsingModel(): Uint8Array {
  const graph = new GraphBuilder('collapsing');
  const x = graph.input('x', tensorType('FP32', ['batch', 3]));
  graph.node('ReduceSum', [x, graph.constant('axes', tensor('INT64', [1], [0]))], {
    outputs: ['y'],
    attributes: { keepdims: { int: 1 } },
  });
  graph.output('y', tensorType('FP32', ['batch', 3]));
  return writeOnnxModel(graph);
}

/** Takes long enough for requests to pile up: `steps` products of the row with a matrix that changes nothing. */
export function slowModel(steps: number, width = 256): Uint8Array {
  const graph = new GraphBuilder('slow');
  const eye = Array.from({ length: width * width }, (_, at) => (at % (width + 1) === 0 ? 1 : 0));
  const matrix = graph.constant('eye', tensor('FP32', [width, width], eye));
  let value = graph.input('x', tensorType('FP32', ['batch', width]));
  for (let step = 0; step < steps; step++) value = graph.node('MatMul', [value, matrix]);
  graph.node('Identity', [value], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', width]));
  return writeOnnxModel(graph);
}

/** The square root of `factor` times a number: what is not finite begins at a factor below 0. */
export function faultyRootModel(factor: number): Uint8Array {
  const graph = new GraphBuilder('root');
  const x = graph.input('x', tensorType('FP32', ['batch', 1]));
  const scaled = graph.node('Mul', [x, graph.constant('factor', tensor('FP32', [1], [factor]))]);
  graph.node('Sqrt', [scaled], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 1]));
  return writeOnnxModel(graph);
}

/** One number in, `width` copies of it out: small requests with large answers. */
export function widenModel(width: number): Uint8Array {
  const graph = new GraphBuilder('widen');
  const x = graph.input('x', tensorType('FP32', ['batch', 1]));
  const ones = graph.constant('ones', tensor('FP32', [1, width], new Array<number>(width).fill(1)));
  graph.node('MatMul', [x, ones], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', width]));
  return writeOnnxModel(graph);
}

/** Well-formed as a file, but with an operator that no runtime has. */
export function unloadableModel(): Uint8Array {
  const graph = new GraphBuilder('unloadable');
  const x = graph.input('features', tensorType('FP32', ['batch', 4]));
  graph.node('NoSuchOperator', [x], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 4]));
  return writeOnnxModel(graph);
}

/** Rows of four numbers, each multiplied by `factor`; `paddingBytes` are weights that it takes but does not need. */
export function scaleModel(factor: number, paddingBytes = 0): Uint8Array {
  const graph = new GraphBuilder('scale');
  const x = graph.input('x', tensorType('FP32', ['batch', 4]));
  const by = graph.constant('factor', tensor('FP32', [1], [factor]));
  graph.node('Mul', [x, by], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', 4]));
  if (paddingBytes > 0) {
    const size = Math.ceil(paddingBytes / 4);
    graph.constant('padding', tensor('FP32', [size], new Array<number>(size).fill(0)));
  }
  return writeOnnxModel(graph);
}

/** Runs of `rows` rows and no others, as exported with a fixed batch: which of `width` numbers of a row is largest, and how much so. */
export function fixedBatchModel(rows: number, width = 64): Uint8Array {
  const graph = new GraphBuilder('fixed');
  const x = graph.input('x', tensorType('FP32', [rows, width]));
  const shares = graph.node('Softmax', [x], { outputs: ['shares'], attributes: { axis: { int: 1 } } });
  graph.node('ArgMax', [shares], {
    outputs: ['largest'],
    attributes: { axis: { int: 1 }, keepdims: { int: 0 } },
  });
  graph.output('shares', tensorType('FP32', [rows, width]));
  graph.output('largest', tensorType('INT64', [rows]));
  return writeOnnxModel(graph);
}

/** The same sizes, but the softmax goes over the rows: each of them depends on the others. */
export function fixedMixingModel(rows: number, width = 3): Uint8Array {
  const graph = new GraphBuilder('fixed_mixing');
  const x = graph.input('x', tensorType('FP32', [rows, width]));
  graph.node('Softmax', [x], { outputs: ['shares'], attributes: { axis: { int: 0 } } });
  graph.output('shares', tensorType('FP32', [rows, width]));
  return writeOnnxModel(graph);
}

/** Looks words up in a fixed number of rows; the runtime fails for an index outside of the table. */
export function fixedLookupModel(rows: number): Uint8Array {
  const graph = new GraphBuilder('fixed_lookup');
  const index = graph.input('index', tensorType('INT64', [rows]));
  const words = graph.constant('words', tensor('BYTES', [3], ['zero', 'one', 'two']));
  graph.node('Gather', [words, index], { outputs: ['word'] });
  graph.output('word', tensorType('BYTES', [rows]));
  return writeOnnxModel(graph);
}
