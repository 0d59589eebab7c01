/**
 * The OpenAPI 3.1 document of this gateway: every path it answers, and for each model that is live the same paths with
 * the schemas of that model. A path that names a model goes before the one with a parameter.
 */
import type { ServerIdentity } from '../wire/oip-metadata.ts';
import {
  dataSchemas,
  type DocumentedModel,
  inferRequestSchema,
  inferResponseSchema,
  predictRequestSchema,
} from './model-schemas.ts';
import { rolloutSchemas } from './rollout-schemas.ts';
import { scalingSchemas } from './scaling-schemas.ts';
import { ref, type Schema, sharedSchemas } from './schemas.ts';

/** Of more models only the first so many, by name, have schemas of their own; the document would grow too large. */
const documentedModelsMax = 100;

type Operation = Readonly<Record<string, unknown>>;
type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export function openapiDocument(identity: ServerIdentity, models: readonly DocumentedModel[]): object {
  const documented = [...models]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .slice(0, documentedModelsMax);
  return {
    openapi: '3.1.0',
    info: {
      title: identity.name,
      version: identity.version,
      description:
        'Open Inference Protocol v2 with extensions. Requests may be compressed (gzip, deflate, br), and answers are when asked for.',
    },
    servers: [{ url: '/' }],
    tags: [
      { name: 'server', description: 'The gateway itself.' },
      { name: 'models', description: 'Any model.' },
      { name: 'repository', description: 'What is in the store.' },
      ...documented.map(({ name, version }) => ({ name, description: `Live version ${version}.` })),
    ],
    paths: {
      ...serverPaths(),
      ...repositoryPaths(),
      ...Object.fromEntries(documented.flatMap((model) => Object.entries(pathsOfModel(model)))),
      ...modelPaths('/v2/models/{model}', ['model']),
      ...modelPaths('/v2/models/{model}/versions/{version}', ['model', 'version']),
      '/predict/{model}': predictPath(['model']),
      '/predict/{model}/{version}': predictPath(['model', 'version']),
    },
    components: { schemas: { ...sharedSchemas, ...rolloutSchemas, ...scalingSchemas, ...dataSchemas } },
  };
}

function serverPaths(): Paths {
  const get = (summary: string, schema: string, statuses?: Answers): object => ({
    get: operation({ tags: ['server'], summary, answers: { '200': ref(schema), ...statuses } }),
  });
  const page = (summary: string, type: string): object => ({
    get: {
      tags: ['server'],
      summary,
      responses: { '200': { description: 'OK', content: { [type]: { schema: { type: 'string' } } } } },
    },
  });
  return {
    '/v2': get('Name, version and extensions', 'ServerMetadata'),
    '/v2/health/live': get('Whether the process answers', 'Live'),
    '/v2/health/ready': get('Whether every deployed model answers', 'Ready', { '503': ref('Ready') }),
    '/v2/rollouts': {
      get: operation({
        tags: ['server'],
        summary: 'Rollouts on this node, and what it decided',
        parameters: [evidenceParameter],
        answers: { '200': ref('RolloutReport') },
      }),
    },
    '/v2/scaling': get('Load of the versions, and their replicas', 'ScalingReport'),
    '/v2/models/stats': get('Statistics of all loaded versions', 'ModelStatistics'),
    '/metrics': page('Metrics for Prometheus', 'text/plain'),
    '/v2/openapi.json': {
      get: operation({ tags: ['server'], summary: 'This document', answers: { '200': { type: 'object' } } }),
    },
    '/v2/docs': page('This document for people', 'text/html'),
    '/docs': page('The same', 'text/html'),
    '/v2/stream': {
      get: operation({ tags: ['server'], summary: 'WebSocket; see docs/protocol.md', answers: {} }),
    },
  } as Paths;
}

function repositoryPaths(): Paths {
  const post = (summary: string, parts: Partial<OperationParts>): object => ({
    post: operation({ tags: ['repository'], summary, answers: {}, ...parts }),
  });
  const model = [parameter('model')];
  return {
    '/v2/repository/index': post('Every version in the store', {
      body: ref('RepositoryQuery'),
      answers: { '200': ref('RepositoryIndex') },
    }),
    '/v2/repository/models/{model}/load': post('Make a model live, on a node that may', {
      parameters: model,
      body: { type: 'object' },
      answers: { '200': ref('Loaded') },
    }),
    '/v2/repository/models/{model}/unload': post('Take a model out of service, on a node that may', {
      parameters: model,
      body: { type: 'object' },
      answers: { '200': ref('Unloaded') },
    }),
  } as Paths;
}

function modelPaths(path: string, names: readonly string[]): Paths {
  const parameters = names.map(parameter);
  const get = (summary: string, schema: string, statuses?: Answers): object => ({
    get: operation({ tags: ['models'], summary, parameters, answers: { '200': ref(schema), ...statuses } }),
  });
  return {
    [path]: get('Inputs, outputs and versions', 'ModelMetadata'),
    [`${path}/ready`]: get('Whether it answers', 'ModelReady', { '503': ref('ModelReady') }),
    [`${path}/config`]: get('How it is run', 'ModelConfiguration'),
    [`${path}/stats`]: get('Statistics', 'ModelStatistics'),
    [`${path}/infer`]: {
      post: operation({
        tags: ['models'],
        summary: 'Run the model',
        parameters,
        body: ref('InferRequest'),
        otherTypes: true,
        answers: { '200': ref('InferResponse') },
      }),
    },
  } as Paths;
}

function predictPath(names: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    post: operation({
      tags: ['models'],
      summary: 'Run the model on rows of features',
      parameters: names.map(parameter),
      body: ref('PredictRequest'),
      answers: { '200': ref('PredictResponse') },
    }),
  };
}

function pathsOfModel(model: DocumentedModel): Paths {
  const name = encodeURIComponent(model.name);
  return {
    [`/v2/models/${name}/infer`]: {
      post: operation({
        tags: [model.name],
        summary: `Run ${model.name}`,
        body: inferRequestSchema(model),
        otherTypes: true,
        answers: { '200': inferResponseSchema(model) },
      }),
    },
    [`/predict/${name}`]: {
      post: operation({
        tags: [model.name],
        summary: `Run ${model.name} on rows of features`,
        body: predictRequestSchema(model),
        answers: { '200': ref('PredictResponse') },
      }),
    },
  };
}

type Answers = Readonly<Record<string, Schema>>;

interface OperationParts {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters?: readonly object[];
  readonly body?: Schema;
  /** Whether bodies may also be msgpack or carry binary tensors. */
  readonly otherTypes?: boolean;
  readonly answers: Answers;
}

const otherContent = {
  'application/msgpack': { schema: { description: 'The same as msgpack.' } },
  'application/octet-stream': { schema: { description: 'JSON followed by binary tensors.' } },
};

function operation({ tags, summary, parameters = [], body, otherTypes, answers }: OperationParts): Operation {
  const content = (schema: Schema): object => ({
    'application/json': { schema },
    ...(otherTypes === true ? otherContent : {}),
  });
  const responses = Object.entries(answers).map(([status, schema]) => [
    status,
    { description: status === '200' ? 'OK' : 'Not ready', content: content(schema) },
  ]);
  return {
    tags,
    summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { content: content(body) } }),
    responses: {
      ...Object.fromEntries(responses),
      default: {
        description: 'An error, with a stable code',
        content: {
          'application/json': { schema: ref('Error') },
          ...(otherTypes === true ? { 'application/msgpack': otherContent['application/msgpack'] } : {}),
        },
      },
    },
  };
}

const evidenceParameter: object = {
  name: 'evidence',
  in: 'query',
  description: 'With the counts that the verdicts rest on.',
  schema: { enum: ['true'] },
};

function parameter(name: string): object {
  return { name, in: 'path', required: true, schema: { type: 'string' } };
}
