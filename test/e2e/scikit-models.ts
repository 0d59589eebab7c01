/**
 * Models as skl2onnx writes them: operators of `ai.onnx.ml`, weights in their attributes, a first dimension without a
 * name. Small enough that a test can work out the answers beside them.
 */
import type { TypeProto } from '../../registry-store/onnx/model-proto.ts';
import {
  GraphBuilder,
  mapType,
  sequenceType,
  tensorType,
  writeOnnxModel,
} from '../../registry-store/onnx/write-model.ts';

const domain = 'ai.onnx.ml';
const options = { opset: 15, opsets: { [domain]: 3 }, producer: 'skl2onnx' } as const;

/** skl2onnx gives the batch no name and no size. */
const batch = -1;

/** `Pipeline([StandardScaler, LogisticRegression])` with classes that are words. */
export const logistic = {
  offset: [1, 2],
  scale: [0.5, 2],
  coefficients: [
    [1, 0],
    [0, 1],
    [-1, -1],
  ],
  intercepts: [0, 0.25, 0.5],
  classes: ['setosa', 'versicolor', 'virginica'],
} as const;

export function logisticModel({ zipmap }: { readonly zipmap: boolean }): Uint8Array {
  const graph = new GraphBuilder('logistic');
  const x = graph.input('X', tensorType('FP32', [batch, 2]));
  const scaled = graph.node('Scaler', [x], {
    domain,
    attributes: { offset: { floats: logistic.offset }, scale: { floats: logistic.scale } },
  });
  graph.node('LinearClassifier', [scaled], {
    domain,
    outputs: ['label', 'probability_tensor'],
    attributes: {
      classlabels_strings: { texts: logistic.classes },
      coefficients: { floats: logistic.coefficients.flat() },
      intercepts: { floats: logistic.intercepts },
      multi_class: { int: 1 },
      post_transform: { text: 'SOFTMAX' },
    },
  });
  graph.node('Normalizer', ['probability_tensor'], {
    domain,
    outputs: ['probabilities'],
    attributes: { norm: { text: 'L1' } },
  });
  graph.output('label', tensorType('BYTES', [batch]));
  if (!zipmap) graph.output('probabilities', tensorType('FP32', [batch, 3]));
  else graph.output(zipMap(graph, 'probabilities'), mapsOf(tensorType('FP32', [])));
  return writeOnnxModel(graph, options);
}

function zipMap(graph: GraphBuilder, probabilities: string): string {
  return graph.node('ZipMap', [probabilities], {
    domain,
    outputs: ['output_probability'],
    attributes: { classlabels_strings: { texts: logistic.classes } },
  });
}

function mapsOf(value: TypeProto): TypeProto {
  return sequenceType(mapType('BYTES', value));
}

/**
 * A forest of one tree: class 0 up to 1.5 in the second feature, otherwise 7 with 0.75; 9 never. With two classes
 * onnxruntime answers 0 and 1 whatever whole numbers they are called, so there are three.
 */
export function forestModel(classes: readonly number[] = [0, 7, 9]): Uint8Array {
  const graph = new GraphBuilder('forest');
  const x = graph.input('X', tensorType('FP32', [batch, 2]));
  graph.node('TreeEnsembleClassifier', [x], {
    domain,
    outputs: ['label', 'probabilities'],
    attributes: {
      class_ids: { ints: [0, 1, 0, 1] },
      class_nodeids: { ints: [1, 1, 2, 2] },
      class_treeids: { ints: [0, 0, 0, 0] },
      class_weights: { floats: [1, 0, 0.25, 0.75] },
      classlabels_int64s: { ints: classes },
      nodes_falsenodeids: { ints: [2, 0, 0] },
      nodes_featureids: { ints: [1, 0, 0] },
      nodes_hitrates: { floats: [1, 1, 1] },
      nodes_missing_value_tracks_true: { ints: [0, 0, 0] },
      nodes_modes: { texts: ['BRANCH_LEQ', 'LEAF', 'LEAF'] },
      nodes_nodeids: { ints: [0, 1, 2] },
      nodes_treeids: { ints: [0, 0, 0] },
      nodes_truenodeids: { ints: [1, 0, 0] },
      nodes_values: { floats: [1.5, 0, 0] },
      post_transform: { text: 'NONE' },
    },
  });
  graph.output('label', tensorType('INT64', [batch]));
  graph.output('probabilities', tensorType('FP32', [batch, classes.length]));
  return writeOnnxModel(graph, options);
}

/** An `OrdinalEncoder`, and another one back to other words: strings in, numbers and strings out. */
export function encoderModel(): Uint8Array {
  const graph = new GraphBuilder('encoder');
  const word = graph.input('word', tensorType('BYTES', [batch, 1]));
  graph.node('LabelEncoder', [word], {
    domain,
    outputs: ['code'],
    attributes: {
      keys_strings: { texts: ['eins', 'zwei', 'grün'] },
      values_int64s: { ints: [1, 2, 3] },
      default_int64: { int: -1 },
    },
  });
  graph.node('LabelEncoder', ['code'], {
    domain,
    outputs: ['translated'],
    attributes: {
      keys_int64s: { ints: [1, 2, 3] },
      values_strings: { texts: ['un', 'deux', 'vert \u{1f7e2}'] },
      default_string: { text: '' },
    },
  });
  graph.output('code', tensorType('INT64', [batch, 1]));
  graph.output('translated', tensorType('BYTES', [batch, 1]));
  return writeOnnxModel(graph, options);
}
