/**
 * Whether what a run of a model costs follows from the shapes of its inputs alone, so that runs of other values cost what the
 * measured ones did. One value that says how often a loop goes round, or how large a tensor is to be, can make a run endless.
 *
 * It errs on one side: what it calls steady is, and some models that are steady are not called so.
 */
import { openOnnxModel } from './describe-model.ts';
import type { GraphProto, NodeProto } from './model-proto.ts';
import { normalDomain, operatorName } from './operator-name.ts';

/** What they do is as much as some value says, or gives as many rows as values say; or they read what may be of any size. */
const neverSteady: ReadonlySet<string> = new Set([
  'Loop',
  'Scan',
  'SequenceMap',
  'NonZero',
  'Compress',
  'Unique',
  'NonMaxSuppression',
  'ImageDecoder',
  'StringSplit',
]);

/** Inputs whose values say how large the result is or, of `If`, what is run at all. */
const sizeInputs: ReadonlyMap<string, readonly number[]> = new Map([
  ['If', [0]],
  ['Range', [0, 1, 2]],
  ['Expand', [1]],
  ['Tile', [1, 2]],
  ['ConstantOfShape', [0]],
  ['Resize', [1, 2, 3]],
  ['Upsample', [1]],
  ['Pad', [1]],
  ['OneHot', [1]],
  ['CenterCropPad', [1]],
  ['MaxUnpool', [2]],
  ['AffineGrid', [1]],
  ['Col2Im', [1, 2]],
  ['HannWindow', [0]],
  ['HammingWindow', [0]],
  ['BlackmanWindow', [0]],
  ['MelWeightMatrix', [0, 1]],
  ['DFT', [1]],
  ['STFT', [1, 3]],
]);

/** They give the sizes of what they get, whatever is in it. */
const shapeReaders: ReadonlySet<string> = new Set(['Shape', 'Size']);

/** What they give follows from nothing. */
const random: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Multinomial',
  'Bernoulli',
]);

/** False also for what is no model, and for one with functions of its own or operators of other domains than the standard ones. */
export function hasSteadyCost(file: Uint8Array): boolean {
  const opened = openOnnxModel(file, {});
  if (!opened.ok) return false;
  const { model, graph } = opened.value;
  return (model.functions ?? []).length === 0 && isSteadyGraph(graph, new Set());
}

/** `outside`: values of the graphs around it that are known beforehand. */
function isSteadyGraph(graph: GraphProto, outside: ReadonlySet<string>): boolean {
  const known = new Set(outside);
  for (const { name } of graph.initializer ?? []) known.add(name ?? '');
  for (const { values } of graph.sparseInitializer ?? []) known.add(values?.name ?? '');
  // An input that is left out.
  known.add('');
  // Whoever uses a value stands behind whoever makes it, in every valid file.
  for (const node of graph.node ?? []) {
    if (!isSteadyNode(node, known)) return false;
    if (isKnownBeforehand(node, known)) for (const name of node.output ?? []) known.add(name);
  }
  return true;
}

function isSteadyNode(
  { domain, opType = '', input = [], attribute = [] }: NodeProto,
  known: Set<string>,
): boolean {
  const set = normalDomain(domain);
  if (set === 'ai.onnx.ml') return true;
  if (set !== 'ai.onnx' || neverSteady.has(opType)) return false;
  const isSized = (sizeInputs.get(opType) ?? []).every((index) => known.has(input[index] ?? ''));
  return (
    isSized &&
    attribute.every(({ g, graphs = [] }) =>
      [...(g === undefined ? [] : [g]), ...graphs].every((inner) => isSteadyGraph(inner, known)),
    )
  );
}

/** Whether its values are the same in all runs with the same shapes: constants, sizes, and what is made of those. */
function isKnownBeforehand({ domain, opType, input = [] }: NodeProto, known: ReadonlySet<string>): boolean {
  const operator = operatorName(domain, opType);
  if (shapeReaders.has(operator)) return true;
  return !random.has(operator) && input.every((name) => known.has(name));
}
