/**
 * The shapes that all models share, as JSON Schema 2020-12 (which OpenAPI 3.1 speaks). They say what the gateway sends
 * exactly, and what it takes as far as a schema can; lengths that depend on other fields are in docs/protocol.md.
 */
import { engineNames } from '../../runtime/protocol/engine-choice.ts';
import { errorTable } from '../wire/error-code.ts';

export type Schema = Readonly<Record<string, unknown>>;

export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

export function object(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export const text: Schema = { type: 'string' };
const yesOrNo: Schema = { type: 'boolean' };
export const count: Schema = { type: 'integer', minimum: 0 };
const engine: Schema = { enum: engineNames, description: 'What runs the models.' };
const intraOpThreads: Schema = {
  ...{ type: 'integer', minimum: 1 },
  description: 'How many threads one run on a model thread uses.',
};
const dimensions: Schema = {
  ...list({ type: 'integer', minimum: -1 }),
  description: '-1 is a free dimension.',
};

const datatypes = [
  ...['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'],
  ...['FP16', 'FP32', 'FP64', 'BYTES'],
];
const datatype: Schema = { enum: datatypes };

const parameters: Schema = {
  type: 'object',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
};

const tensorMetadata = object({ name: text, datatype, shape: dimensions });
const tensorConfiguration = object({
  name: text,
  data_type: { type: 'string', pattern: '^TYPE_' },
  dims: dimensions,
});

const duration = object({ count, ns: count });
const durationNames = ['success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'];
const cacheNames = ['cache_hit', 'cache_miss'];

function durations(names: readonly string[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(names.map((name) => [name, ref('Duration')]));
}

const anything: Schema = {};

const anyData: Schema = {
  description: 'The elements, flat in row-major order or nested as `shape` says.',
  type: 'array',
};

export const sharedSchemas: Readonly<Record<string, Schema>> = {
  Error: {
    ...object({ error: text, code: { enum: Object.keys(errorTable) } }),
    description: '`code` is stable, `error` is for people.',
  },
  ServerMetadata: object(
    { name: text, version: text, extensions: list(text), engine, intra_op_threads: intraOpThreads },
    ['engine', 'intra_op_threads'],
  ),
  Live: object({ live: { const: true } }),
  Ready: object(
    {
      ready: yesOrNo,
      engine,
      intra_op_threads: intraOpThreads,
      store: { type: 'object' },
      problems: list({ type: 'object' }),
      scaling: list({ type: 'object' }),
      memory: { type: 'object' },
      shadows: list({ type: 'object' }),
    },
    ['engine', 'intra_op_threads', 'store', 'problems', 'scaling', 'memory', 'shadows'],
  ),
  ModelReady: object({ name: text, ready: yesOrNo }),
  TensorMetadata: tensorMetadata,
  ModelMetadata: object({
    name: text,
    versions: list(text),
    platform: text,
    inputs: list(ref('TensorMetadata')),
    outputs: list(ref('TensorMetadata')),
  }),
  TensorConfiguration: tensorConfiguration,
  ModelConfiguration: object(
    {
      name: text,
      platform: text,
      backend: text,
      version_policy: { type: 'object' },
      max_batch_size: count,
      input: list(ref('TensorConfiguration')),
      output: list(ref('TensorConfiguration')),
      instance_group: list({ type: 'object' }),
      dynamic_batching: { type: 'object' },
      parameters: { type: 'object' },
    },
    ['dynamic_batching'],
  ),
  Duration: { ...duration, description: 'How many, and nanoseconds in total.' },
  ModelStatistics: object({
    model_stats: list(
      object({
        name: text,
        version: text,
        last_inference: { ...count, description: 'Milliseconds since 1970; 0 for never.' },
        inference_count: count,
        execution_count: count,
        inference_stats: object(durations([...durationNames, ...cacheNames])),
        response_stats: { type: 'object' },
        batch_stats: list(
          object({ batch_size: count, ...durations(['compute_input', 'compute_infer', 'compute_output']) }),
        ),
        memory_usage: list(object({ type: text, id: count, byte_size: count })),
      }),
    ),
  }),
  RepositoryQuery: object({ ready: { ...yesOrNo, description: 'Only versions that answer.' } }, ['ready']),
  RepositoryIndex: list(
    object({
      name: text,
      version: text,
      state: { enum: ['READY', 'LOADING', 'UNAVAILABLE'] },
      reason: text,
    }),
  ),
  Loaded: object({ name: text, load: { const: true } }),
  Unloaded: object({ name: text, unload: { const: true } }),
  InferRequest: object(
    {
      id: text,
      parameters,
      inputs: { ...list(ref('InputTensor')), minItems: 1 },
      outputs: list(ref('RequestedOutput')),
    },
    ['id', 'parameters', 'outputs'],
  ),
  InputTensor: object({ name: text, shape: list(count), datatype, parameters, data: anyData }, [
    'parameters',
  ]),
  RequestedOutput: object({ name: text, parameters }, ['parameters']),
  InferResponse: object(
    { model_name: text, model_version: text, id: text, parameters, outputs: list(ref('OutputTensor')) },
    ['id', 'parameters'],
  ),
  OutputTensor: object({ name: text, shape: list(count), datatype, parameters, data: anyData }, [
    'parameters',
  ]),
  PredictRequest: object({ features: { type: ['array', 'object'] } }),
  PredictResponse: object(
    {
      prediction: anything,
      probabilities: anything,
      outputs: { type: 'object' },
      model_version: text,
    },
    ['prediction', 'probabilities', 'outputs'],
  ),
};
