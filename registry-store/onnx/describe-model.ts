/**
 * What an ONNX file says about itself: its signature, its operators, its size in parameters; or why it is refused.
 * It looks at structure only, never at tensor values, and does not promise that the model runs: the runtime finds
 * that out when it loads the file. The bytes may come from anybody: every outcome is a value, never an exception.
 */
import type { ModelSignature, TensorSignature } from '../manifest/signature.ts';
import { batchObstacle, type SidedTensor } from './batch-dimension.ts';
import { surveyGraph } from './graph-survey.ts';
import { modelSchema } from './model-schema.ts';
import type { GraphProto, ModelProto, OperatorSetId, ValueInfoProto } from './model-proto.ts';
import { quoted, refuse } from './onnx-refusal.ts';
import type { OnnxRefused } from './onnx-refusal.ts';
import { readMessage } from './read-message.ts';
import { isPrintable, readTensorSignature } from './tensor-signature.ts';
import type { Side } from './tensor-signature.ts';

export type { OnnxRefusal } from './onnx-refusal.ts';

export interface OnnxDescription {
  readonly signature: ModelSignature;
  readonly irVersion: number;
  /** Version of each operator set the file imports; the standard set is the empty string. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Distinct and sorted, including those of subgraphs and functions; `ai.onnx.ml.Scaler` outside the standard set. */
  readonly operators: readonly string[];
  /** Elements of all tensors in the file: initializers, sparse values and tensor attributes. */
  readonly parameterCount: number;
  /** Name and version of the tool that wrote the file; may be empty. */
  readonly producer: string;
}

export type OnnxResult = { readonly ok: true; readonly value: OnnxDescription } | OnnxRefused;

export interface DescribeOptions {
  /** Operator domains to accept beside the standard ones, for example `com.microsoft`. Default none. */
  readonly allowDomains?: readonly string[];
  /** Largest file in bytes. Default `onnxBytesMax`, 1 GiB. */
  readonly bytesMax?: number;
}

/** A 32-bit WebAssembly memory of 4 GiB holds file, weights and results. */
export const onnxBytesMax: number = 2 ** 30;

// What is described here is signed as metadata later; these bounds are those of that metadata.
const tensorsMax = 256;
const opsetsMax = 64;
const labelLengthMax = 200;

const standardDomains = ['ai.onnx', 'ai.onnx.ml'];

export function describeOnnxModel(bytes: Uint8Array, options: DescribeOptions = {}): OnnxResult {
  const opened = openOnnxModel(bytes, options);
  if (!opened.ok) return opened;
  const { description, refusals } = judgeModel(opened.value, options);
  if (description !== undefined) return { ok: true, value: description };
  return refusals[0] ?? refuse('NOT_ONNX', 'This is not an ONNX model.');
}

/** A file that is ONNX, whether it can be served or not. */
export interface OpenedModel {
  readonly model: ModelProto;
  readonly graph: GraphProto;
  readonly irVersion: number;
  readonly opsets: Readonly<Record<string, number>>;
}

type OpenResult = { readonly ok: true; readonly value: OpenedModel } | OnnxRefused;

export function openOnnxModel(bytes: Uint8Array, { bytesMax = onnxBytesMax }: DescribeOptions): OpenResult {
  if (bytes.byteLength > bytesMax) {
    return refuse('TOO_LARGE', `The file has ${bytes.byteLength} bytes; the limit is ${bytesMax}.`);
  }
  const read = readMessage(modelSchema, bytes);
  if (!read.ok) {
    if (read.code === 'MALFORMED') return refuse('NOT_ONNX', `This is not an ONNX file: ${read.message}.`);
    return refuse(read.code, `The file is beyond what is read here: ${read.message}.`);
  }
  const model = read.value;
  const irVersion = Number(model.irVersion ?? 0n);
  const opsets = opsetVersions(model.opsetImport ?? []);
  if (
    model.graph === undefined ||
    opsets === undefined ||
    !Number.isSafeInteger(irVersion) ||
    irVersion < 1
  ) {
    return refuse(
      'NOT_ONNX',
      'This is not an ONNX file: it has no graph, no IR version or no operator sets.',
    );
  }
  return { ok: true, value: { model, graph: model.graph, irVersion, opsets } };
}

export interface Judgement {
  /** Present exactly when nothing is refused. */
  readonly description: OnnxDescription | undefined;
  /** Everything found that keeps the model out, at least the first of each kind. */
  readonly refusals: readonly OnnxRefused[];
  /** Why rows of different requests cannot share a run, by the signature; undefined when they can or nobody knows. */
  readonly batchObstacle: string | undefined;
}

export function judgeModel(
  { model, graph, irVersion, opsets }: OpenedModel,
  { allowDomains = [] }: DescribeOptions = {},
): Judgement {
  const { tensors, refusals: refusedTensors } = readTensors(graph);
  const survey = surveyGraph(model, new Set([...standardDomains, ...allowDomains]));
  const refusals = [...refusedTensors, ...survey.refusals];
  if (refusals.length > 0) return { description: undefined, refusals, batchObstacle: undefined };

  const obstacle = batchObstacle(tensors);
  const signatures = (side: Side): readonly TensorSignature[] =>
    tensors.filter((tensor) => tensor.side === side).map(({ signature }) => signature);
  const description: OnnxDescription = {
    signature: {
      inputs: signatures('input'),
      outputs: signatures('output'),
      batching: obstacle === undefined ? 'rows' : 'none',
    },
    irVersion,
    opsets,
    operators: survey.operators,
    parameterCount: survey.parameterCount,
    producer: producer(model),
  };
  return { description, refusals, batchObstacle: obstacle };
}

/** What a request fills: files up to IR version 3 list weights among the inputs, and whoever calls the model does not send those. */
export function requestInputs(graph: GraphProto): readonly ValueInfoProto[] {
  const weights = new Set((graph.initializer ?? []).map((tensor) => tensor.name ?? ''));
  for (const sparse of graph.sparseInitializer ?? []) weights.add(sparse.values?.name ?? '');
  return (graph.input ?? []).filter((input) => input.name === undefined || !weights.has(input.name));
}

function readTensors(graph: GraphProto): {
  readonly tensors: readonly SidedTensor[];
  readonly refusals: readonly OnnxRefused[];
} {
  const inputs = requestInputs(graph);
  const outputs = graph.output ?? [];
  const tensors: SidedTensor[] = [];
  const refusals: OnnxRefused[] = [];
  if (inputs.length === 0)
    refusals.push(refuse('NO_INPUTS', 'The model has no input that a request could fill.'));
  if (outputs.length === 0) refusals.push(refuse('NO_OUTPUTS', 'The model has no output.'));
  if (Math.max(inputs.length, outputs.length) > tensorsMax) {
    refusals.push(refuse('TOO_LARGE', `The model has more than ${tensorsMax} inputs or outputs.`));
    return { tensors, refusals };
  }
  for (const [side, values] of [['input', inputs] as const, ['output', outputs] as const]) {
    const names = new Set<string>();
    for (const value of values) {
      const tensor = readTensorSignature(side, value);
      if (!tensor.ok) {
        refusals.push(tensor);
        continue;
      }
      const { name } = tensor.value.signature;
      if (names.has(name))
        refusals.push(refuse('INVALID_NAME', `Two ${side}s of the model are called ${quoted(name)}.`));
      names.add(name);
      tensors.push({ ...tensor.value, side });
    }
  }
  return { tensors, refusals };
}

/** Undefined when there are none, too many, or one without a proper version. */
function opsetVersions(imports: readonly OperatorSetId[]): Record<string, number> | undefined {
  if (imports.length === 0 || imports.length > opsetsMax) return undefined;
  const versions = new Map<string, number>();
  for (const { domain = '', version = 0n } of imports) {
    if (version < 1n || version > 1_000_000n || !isLabel(domain)) return undefined;
    const key = domain === 'ai.onnx' ? '' : domain;
    // Operators bind to the highest version that is imported for their domain.
    versions.set(key, Math.max(versions.get(key) ?? 0, Number(version)));
  }
  return Object.fromEntries(versions);
}

/** For display only, so what does not fit into the metadata of a version is left out rather than refused. */
export function producer(model: ModelProto): string {
  const parts = [model.producerName ?? '', model.producerVersion ?? ''];
  return parts
    .filter((part) => part !== '' && isLabel(part))
    .join(' ')
    .slice(0, labelLengthMax);
}

function isLabel(text: string): boolean {
  return text.length <= labelLengthMax && isPrintable(text);
}
