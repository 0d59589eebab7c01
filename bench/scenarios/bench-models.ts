/**
 * The models of the scenarios: the two demo models, and two that are large enough to be bound by computing, made here with
 * seeded random weights. Their answers mean nothing; what they cost is that of real networks of their shape. Nothing of
 * them is committed.
 */
import { seededRandom, type SeededRandom } from '../../deploy/demo/seeded-random.ts';
import { tensor } from '../../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../../registry-store/onnx/write-model.ts';

/** `tiny` keeps every layer and makes it narrow: for tests, which have no minutes. */
export type ModelSize = 'full' | 'tiny';

export interface LargeModel {
  readonly name: 'mlp' | 'mobilenet';
  readonly input: string;
  /** Without the batch. */
  readonly rowShape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Another `variant` has other weights. */
export function largeModels(size: ModelSize, variant = 0): readonly LargeModel[] {
  return [mlp(size, seededRandom(11 + 2 * variant)), mobilenet(size, seededRandom(12 + 2 * variant))];
}

/** MobileNetV1 with 1.375 times the channels, 30 MB: what comes and goes beside others. */
export function wideMobilenet(size: ModelSize, variant = 0): LargeModel {
  return mobilenet(size, seededRandom(13 + 2 * variant), 1.375);
}

/** 512-2048-2048-1000 with ReLU, 29 MB. */
function mlp(size: ModelSize, random: SeededRandom): LargeModel {
  const hidden = size === 'full' ? 2048 : 32;
  const widths = [512, hidden, hidden, 1000];
  const graph = new GraphBuilder('mlp');
  let value = graph.input('x', tensorType('FP32', ['batch', 512]));
  for (const [index, width] of widths.slice(1).entries()) {
    const from = widths[index] ?? 0;
    value = dense(graph, value, { name: `dense${index}`, from, to: width, random });
    if (index < widths.length - 2) value = graph.node('Relu', [value]);
  }
  finish(graph, value, 1000);
  return { name: 'mlp', input: 'x', rowShape: [512], bytes: writeOnnxModel(graph) };
}

/** Channels and stride of each depthwise-separable block of MobileNetV1 (Howard et al. 2017, table 1). */
const blocks: readonly (readonly [channels: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
];

/** MobileNetV1, 224 x 224, 17 MB: batch normalization is folded into the biases, as exporters do it. */
function mobilenet(size: ModelSize, random: SeededRandom, width = 1): LargeModel {
  const share = size === 'full' ? width : width / 16;
  const side = size === 'full' ? 224 : 32;
  const graph = new GraphBuilder('mobilenet');
  let value = graph.input('x', tensorType('FP32', ['batch', 3, side, side]));
  let from = Math.ceil(32 * share);
  value = convolution(graph, value, {
    name: 'stem',
    from: 3,
    to: from,
    kernel: 3,
    stride: 2,
    groups: 1,
    random,
  });
  for (const [index, [channels, stride]] of blocks.entries()) {
    const to = Math.ceil(channels * share);
    const depthwise = { name: `depthwise${index}`, from, to: from, kernel: 3, stride, groups: from, random };
    value = convolution(graph, value, depthwise);
    value = convolution(graph, value, {
      name: `pointwise${index}`,
      from,
      to,
      kernel: 1,
      stride: 1,
      groups: 1,
      random,
    });
    from = to;
  }
  value = graph.node('GlobalAveragePool', [value]);
  value = graph.node('Flatten', [value], { attributes: { axis: { int: 1 } } });
  finish(graph, dense(graph, value, { name: 'classes', from, to: 1000, random }), 1000);
  return { name: 'mobilenet', input: 'x', rowShape: [3, side, side], bytes: writeOnnxModel(graph) };
}

/** So wide is a row of the numbered model; the first number is that of its request. */
export const numberedWidth = 512;

/**
 * Three dense layers of 512, 3 MB, whose output is the first number of each row: what they compute is multiplied by nothing and
 * added. A run takes long enough to be cut off in the middle, and an answer says whose it is.
 */
export function numberedModel(): Uint8Array {
  const random = seededRandom(15);
  const graph = new GraphBuilder('numbered');
  const rows = graph.input('x', tensorType('FP32', ['batch', numberedWidth]));
  let value = rows;
  for (const name of ['one', 'two', 'three']) {
    value = graph.node('Relu', [
      dense(graph, value, { name, from: numberedWidth, to: numberedWidth, random }),
    ]);
  }
  value = dense(graph, value, { name: 'last', from: numberedWidth, to: 1, random });
  const nothing = graph.node('Mul', [value, graph.constant('zero', tensor('FP32', [1], [0]))]);
  const first = graph.constant('first', tensor('INT64', [1], [0]));
  const number = graph.node('Gather', [rows, first], { attributes: { axis: { int: 1 } } });
  graph.node('Add', [number, nothing], { outputs: ['number'] });
  graph.output('number', tensorType('FP32', ['batch', 1]));
  return writeOnnxModel(graph);
}

interface Layer {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly random: SeededRandom;
}

function dense(graph: GraphBuilder, value: string, { name, from, to, random }: Layer): string {
  const weight = graph.constant(
    `${name}.weight`,
    tensor('FP32', [from, to], weights(from * to, from, random)),
  );
  const bias = graph.constant(`${name}.bias`, tensor('FP32', [to], weights(to, from, random)));
  return graph.node('Gemm', [value, weight, bias]);
}

function convolution(
  graph: GraphBuilder,
  value: string,
  layer: Layer & { readonly kernel: number; readonly stride: number; readonly groups: number },
): string {
  const { name, from, to, kernel, stride, groups, random } = layer;
  const shape = [to, from / groups, kernel, kernel];
  const fanIn = (from / groups) * kernel * kernel;
  const weight = graph.constant(`${name}.weight`, tensor('FP32', shape, weights(to * fanIn, fanIn, random)));
  const bias = graph.constant(`${name}.bias`, tensor('FP32', [to], weights(to, fanIn, random)));
  const pad = (kernel - 1) / 2;
  const attributes = {
    kernel_shape: { ints: [kernel, kernel] },
    strides: { ints: [stride, stride] },
    pads: { ints: [pad, pad, pad, pad] },
    group: { int: groups },
  };
  return graph.node('Relu', [graph.node('Conv', [value, weight, bias], { attributes })]);
}

function finish(graph: GraphBuilder, value: string, classes: number): void {
  graph.node('Softmax', [value], { outputs: ['probabilities'], attributes: { axis: { int: 1 } } });
  graph.output('probabilities', tensorType('FP32', ['batch', classes]));
}

/** Uniform, with the variance (2 / inputs) that keeps activations from growing or dying from layer to layer. */
function weights(count: number, fanIn: number, random: SeededRandom): Float32Array {
  const bound = Math.sqrt(6 / fanIn);
  return Float32Array.from({ length: count }, () => (random.next() * 2 - 1) * bound);
}
