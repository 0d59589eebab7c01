/**
 * The bodies of the protocol's health and metadata endpoints (Open Inference Protocol v2, REST: "Server Metadata",
 * "Model Metadata", "Health"). Plain values; whoever answers turns them into text.
 */
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';
import type { ModelSignature, TensorSpec } from '../../runtime/tensor/signature.ts';

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
}

/** What works everywhere, under the names that other servers of the protocol gave it; nothing else. */
const extensions = [
  'binary_tensor_data',
  'classification',
  'model_configuration',
  'parameters',
  'schedule_policy',
  'sequence',
  'statistics',
] as const;

/** A node that may change its store has the model repository extension as well. The engine is told in fields of our own. */
export function serverMetadata(
  identity: ServerIdentity,
  node: { readonly engine: EngineChoice; readonly mayChangeStore: boolean },
): object {
  return {
    name: identity.name,
    version: identity.version,
    extensions: [...extensions, ...(node.mayChangeStore ? ['model_repository'] : [])],
    ...engineFields(node.engine),
  };
}

/** What runs the models, and how many threads one run of it uses; the readiness answer has them too. */
export function engineFields({ name, intraOpThreads }: EngineChoice): object {
  return { engine: name, intra_op_threads: intraOpThreads };
}

export interface ModelDescription {
  readonly name: string;
  /** Versions that can be called. */
  readonly versions: readonly string[];
  readonly platform: string;
  readonly signature: ModelSignature;
}

export function modelMetadata(model: ModelDescription): object {
  return {
    name: model.name,
    versions: model.versions,
    platform: model.platform,
    inputs: model.signature.inputs.map(tensorMetadata),
    outputs: model.signature.outputs.map(tensorMetadata),
  };
}

function tensorMetadata(spec: TensorSpec): object {
  return { name: spec.name, datatype: spec.datatype, shape: spec.shape };
}

/** What decides how a version runs, in the terms of the model configuration extension. */
export interface ModelConfiguration extends ModelDescription {
  /** Most rows of one run. */
  readonly batchRowsMax: number;
  /** Threads that hold the version. */
  readonly threads: number;
  /** What it remembers between calls; undefined for a model without state. */
  readonly state: readonly StateConfiguration[] | undefined;
  readonly sequenceIdleMsMax: number;
  /** The models that run as one under this name, in words; undefined for one alone. */
  readonly pipeline: string | undefined;
}

export interface StateConfiguration {
  readonly input: string;
  readonly output: string;
  readonly datatype: TensorSpec['datatype'];
  /** As the model takes it. */
  readonly shape: readonly number[];
}

export function modelConfiguration(model: ModelConfiguration): object {
  const { name, platform, signature, versions, state, pipeline } = model;
  const batched = signature.batching === 'rows';
  return {
    name,
    platform,
    backend: 'onnxruntime',
    version_policy: { specific: { versions } },
    // 0 says that there is no batch dimension, so that all dimensions are listed.
    max_batch_size: batched ? (signature.fixedRows ?? model.batchRowsMax) : 0,
    input: signature.inputs.map((spec) => tensorConfiguration(spec, batched)),
    output: signature.outputs.map((spec) => tensorConfiguration(spec, batched)),
    instance_group: [{ name, kind: 'KIND_CPU', count: model.threads }],
    ...(batched && { dynamic_batching: batchingConfiguration(signature) }),
    ...(state !== undefined && { sequence_batching: sequenceConfiguration(model, state) }),
    // Not `ensemble_scheduling`: clients that meet it ask for each of the models, which have no address of their own here.
    parameters: pipeline === undefined ? {} : { pipeline: { string_value: pipeline } },
  };
}

/** A size is preferred where a run has it anyway. */
function batchingConfiguration({ fixedRows }: ModelSignature): object {
  return {
    preferred_batch_size: fixedRows === undefined ? [] : [fixedRows],
    max_queue_delay_microseconds: 0,
  };
}

function tensorConfiguration({ name, ...spec }: TensorSpec, batched: boolean): object {
  return { name, ...typeAndDims(spec, batched) };
}

function sequenceConfiguration(
  { signature, sequenceIdleMsMax }: ModelConfiguration,
  state: readonly StateConfiguration[],
): object {
  return {
    max_sequence_idle_microseconds: sequenceIdleMsMax * 1000,
    state: state.map(({ input, output, ...spec }) => {
      return {
        input_name: input,
        output_name: output,
        ...typeAndDims(spec, signature.batching === 'rows'),
      };
    }),
  };
}

function typeAndDims({ datatype, shape }: Omit<TensorSpec, 'name'>, batched: boolean): object {
  const type = datatype === 'BYTES' ? 'STRING' : datatype;
  return { data_type: `TYPE_${type}`, dims: batched ? shape.slice(1) : shape };
}
