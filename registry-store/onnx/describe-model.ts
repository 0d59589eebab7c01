/**
 * What an ONNX file says about itself: its signature, its operators, its size in parameters; or why it is refused.
 * It looks at structure only, never at tensor values, and does not promise that the model runs: the runtime finds
 * that out when it loads the file. The bytes may come from anybody: every outcome is a value, never an exception.
 */
import type { ModelSignature, TensorSignature } from '../manifest/signature.ts';
import { surveyGraph } from './graph-survey.ts';
import { modelSchema } from './model-schema.ts';
import type { GraphProto, ModelProto, OperatorSetId } from './model-proto.ts';
import { quoted, refuse } from './onnx-refusal.ts';
import type { OnnxRefused } from './onnx-refusal.ts';
import { readMessage } from './read-message.ts';
import { isPrintable, readTensorSignature } from './tensor-signature.ts';
import type { NamedTensor } from './tensor-signature.ts';

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
  /** Largest file in bytes. Default 1 GiB: a 32-bit WebAssembly memory of 4 GiB holds file, weights and results. */
  readonly bytesMax?: number;
}

const bytesMaxDefault = 2 ** 30;

// What is described here is signed as metadata later; these bounds are those of that metadata.
const tensorsMax = 256;
const opsetsMax = 64;
const labelLengthMax = 200;

const standardDomains = ['ai.onnx', 'ai.onnx.ml'];

export function describeOnnxModel(bytes: Uint8Array, options: DescribeOptions = {}): OnnxResult {
  const bytesMax = options.bytesMax ?? bytesMaxDefault;
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
  const signature = readSignature(model.graph);
  if (!signature.ok) return signature;

  const allowedDomains = new Set([...standardDomains, ...(options.allowDomains ?? [])]);
  const survey = surveyGraph(model, allowedDomains);
  if (!survey.ok) return survey;

  const { operators, parameterCount } = survey;
  const value = {
    signature: signature.value,
    irVersion,
    opsets,
    operators,
    parameterCount,
    producer: producer(model),
  };
  return { ok: true, value };
}

type SignatureResult = { readonly ok: true; readonly value: ModelSignature } | OnnxRefused;

function readSignature(graph: GraphProto): SignatureResult {
  // Files up to IR version 3 list weights among the inputs; whoever calls the model does not send those.
  const weights = new Set((graph.initializer ?? []).map((tensor) => tensor.name ?? ''));
  for (const sparse of graph.sparseInitializer ?? []) weights.add(sparse.values?.name ?? '');

  const inputs = (graph.input ?? []).filter((input) => input.name === undefined || !weights.has(input.name));
  const outputs = graph.output ?? [];
  if (inputs.length === 0) return refuse('NO_INPUTS', 'The model has no input that a request could fill.');
  if (outputs.length === 0) return refuse('NO_OUTPUTS', 'The model has no output.');

  if (Math.max(inputs.length, outputs.length) > tensorsMax) {
    return refuse('TOO_LARGE', `The model has more than ${tensorsMax} inputs or outputs.`);
  }

  const tensors: NamedTensor[] = [];
  for (const [side, values] of [['input', inputs] as const, ['output', outputs] as const]) {
    const names = new Set<string>();
    for (const value of values) {
      const tensor = readTensorSignature(side, value);
      if (!tensor.ok) return tensor;
      const { name } = tensor.value.signature;
      if (names.has(name))
        return refuse('INVALID_NAME', `Two ${side}s of the model are called ${quoted(name)}.`);
      names.add(name);
      tensors.push(tensor.value);
    }
  }
  const signatures: readonly TensorSignature[] = tensors.map((tensor) => tensor.signature);
  return {
    ok: true,
    value: {
      inputs: signatures.slice(0, inputs.length),
      outputs: signatures.slice(inputs.length),
      batching: batchesRows(tensors) ? 'rows' : 'none',
    },
  };
}

/**
 * Whether the first dimension of every tensor can be one batch: it is there, any size fits, and no two of them carry
 * different symbolic names. An unnamed one may be the same dimension; the runtime checks that with a probe.
 */
function batchesRows(tensors: readonly NamedTensor[]): boolean {
  const symbols = new Set<string>();
  for (const { signature, firstSymbol } of tensors) {
    if (signature.shape[0] !== -1) return false;
    if (firstSymbol !== undefined) symbols.add(firstSymbol);
  }
  return symbols.size <= 1;
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
function producer(model: ModelProto): string {
  const parts = [model.producerName ?? '', model.producerVersion ?? ''];
  return parts
    .filter((part) => part !== '' && isLabel(part))
    .join(' ')
    .slice(0, labelLengthMax);
}

function isLabel(text: string): boolean {
  return text.length <= labelLengthMax && isPrintable(text);
}
