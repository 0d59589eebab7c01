/** The OpenAPI 3.1 description of the control API, made from the list of its endpoints. */
import { type Schema, ref } from '../openapi/schemas.ts';
import { metadataHeader } from './artifact-upload.ts';
import { type ChangeKind, type Endpoint, type ReadKind, endpoints } from './control-endpoints.ts';
import { controlSchemas } from './control-schemas.ts';

const readAnswers: Readonly<Record<ReadKind, Schema>> = {
  models: ref('Models'),
  model: ref('Model'),
  version: ref('VersionWithRevision'),
  deployments: ref('Deployments'),
  deployment: ref('DeploymentWithRevision'),
  history: ref('History'),
  document: { type: 'object' },
};

const deployed = ref('DeploymentWithRevision');

const changeAnswers: Readonly<Record<ChangeKind, Schema>> = {
  register: ref('VersionWithRevision'),
  upload: ref('VersionWithRevision'),
  deploy: deployed,
  scale: deployed,
  undeploy: ref('Undeployed'),
  promote: deployed,
  rollback: { anyOf: [deployed, ref('RolledBack')] },
  pause: deployed,
  resume: deployed,
  approve: deployed,
  abort: deployed,
  reload: ref('Reloaded'),
};

/** With the model in the body, and with the model in the path. */
const bodies: Readonly<
  Record<Exclude<ChangeKind, 'register' | 'upload' | 'reload'>, readonly [string, string]>
> = {
  deploy: ['DeployModelRequest', 'DeployRequest'],
  scale: ['ScaleDeploymentRequest', 'ScaleRequest'],
  undeploy: ['UndeployModelRequest', 'UndeployRequest'],
  promote: ['PromoteCanaryRequest', 'PromoteRequest'],
  rollback: ['RollbackStoreRequest', 'RollbackRequest'],
  pause: ['ModelNameRequest', 'WhyRequest'],
  resume: ['ModelNameRequest', 'WhyRequest'],
  approve: ['ModelNameRequest', 'WhyRequest'],
  abort: ['ModelNameRequest', 'WhyRequest'],
};

/** `version` is that of the software. */
export function controlDocument(version: string): object {
  const paths = new Map<string, Record<string, unknown>>();
  for (const endpoint of endpoints) {
    const methods = paths.get(endpoint.path) ?? {};
    methods[endpoint.method.toLowerCase()] = operation(endpoint);
    paths.set(endpoint.path, methods);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'tidegate control',
      version,
      description:
        'What is in the store and what is live, looked at and changed. Every request carries a bearer token; see docs/control-api.md.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: controlSchemas,
    },
  };
}

function operation(endpoint: Endpoint): object {
  const { summary, scope, status } = endpoint;
  const parameters = parametersOf(endpoint);
  const content = endpoint.does === 'change' ? bodyOf(endpoint.kind, endpoint.path) : undefined;
  const schema = endpoint.does === 'read' ? readAnswers[endpoint.kind] : changeAnswers[endpoint.kind];
  return {
    summary,
    description: `Needs the scope ${scope}.`,
    ...(parameters.length > 0 && { parameters }),
    ...(content !== undefined && { requestBody: { content } }),
    responses: {
      [status]: {
        description: 'OK',
        ...(endpoint.does === 'change' && {
          headers: {
            'x-tidegate-changed': {
              description: 'false when everything was so already',
              schema: { enum: ['true', 'false'] },
            },
          },
        }),
        content: { 'application/json': { schema } },
      },
      default: {
        description: 'An error, with a stable code',
        content: { 'application/json': { schema: ref('Error') } },
      },
    },
  };
}

function bodyOf(kind: ChangeKind, path: string): object | undefined {
  const json = (name: string): object => ({ 'application/json': { schema: ref(name) } });
  const file = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
  switch (kind) {
    case 'reload':
      return undefined;
    case 'upload':
      return file;
    case 'register':
      return {
        ...json('RegisterRequest'),
        'multipart/form-data': {
          schema: ref('RegisterForm'),
          encoding: { metadata: { contentType: 'application/json' } },
        },
        ...file,
      };
    case 'deploy':
    case 'scale':
    case 'undeploy':
    case 'promote':
    case 'rollback':
    case 'pause':
    case 'resume':
    case 'approve':
    case 'abort': {
      const [inBody, inPath] = bodies[kind];
      return json(path.includes('{model}') ? inPath : inBody);
    }
  }
}

function parametersOf(endpoint: Endpoint): readonly object[] {
  const inPath = [...endpoint.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  return [...inPath, ...queryOf(endpoint)];
}

function queryOf({ does, kind }: Endpoint): readonly object[] {
  const query = (name: string, schema: object = { type: 'string' }): object => ({
    name,
    in: 'query',
    schema,
  });
  const texts = { type: 'array', items: { type: 'string' } };
  if (does === 'read' && kind === 'models') return [query('name'), query('stage'), query('tag')];
  if (does === 'read' && kind === 'history') {
    const count = { type: 'integer', minimum: 1 };
    return [query('model'), query('from_revision', count), query('limit', count)];
  }
  if (does === 'change' && kind === 'upload') {
    return [
      ...['framework', 'author', 'description', 'stage', 'why'].map((name) => query(name)),
      query('tag', texts),
      query('metric', { ...texts, description: 'accuracy=0.97' }),
      {
        name: metadataHeader,
        in: 'header',
        description: 'The same fields as a JSON object, instead of the query.',
        schema: { type: 'string' },
      },
    ];
  }
  return [];
}
