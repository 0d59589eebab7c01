/**
 * Every path of the control API with what it does, who may, and how it is done elsewhere: the one list that the server,
 * the description and the documentation go by.
 */
import type { Scope } from './control-tokens.ts';

export type ReadKind = 'models' | 'model' | 'version' | 'deployments' | 'deployment' | 'history' | 'document';

export type ChangeKind =
  | 'register'
  | 'upload'
  | 'deploy'
  | 'scale'
  | 'undeploy'
  | 'promote'
  | 'rollback'
  | 'pause'
  | 'resume'
  | 'approve'
  | 'abort'
  | 'reload';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface EndpointFacts {
  readonly method: Method;
  /** Segments in braces are parameters. */
  readonly path: string;
  readonly scope: Scope;
  readonly summary: string;
  /** Of the answer when it was done. */
  readonly status: number;
}

export type Endpoint = EndpointFacts &
  (
    | { readonly does: 'read'; readonly kind: ReadKind }
    | { readonly does: 'change'; readonly kind: ChangeKind }
  );

function read(path: string, kind: ReadKind, summary: string): Endpoint {
  return { method: 'GET', path, scope: 'read', summary, status: 200, does: 'read', kind };
}

function change(
  route: `${Method} /${string}`,
  kind: ChangeKind,
  facts: { readonly summary: string; readonly scope?: Scope; readonly status?: number },
): Endpoint {
  const [method, path] = route.split(' ') as [Method, string];
  const { summary, scope = 'deploy', status = 200 } = facts;
  return { method, path, scope, summary, status, does: 'change', kind };
}

const deployment = '/v1/deployments/{model}';

export const endpoints: readonly Endpoint[] = [
  read('/models', 'models', 'Every version in the store'),
  read('/models/{name}', 'model', 'A model: its versions and what is live'),
  read('/deployments', 'deployments', 'What is live'),
  change('POST /register_model', 'register', { summary: 'Publish a version', scope: 'publish', status: 201 }),
  change('POST /deploy_model', 'deploy', {
    summary: 'Put a version live, or beside the live one',
    status: 201,
  }),
  change('POST /undeploy_model', 'undeploy', { summary: 'Take a model out of service' }),
  change('POST /promote_canary', 'promote', { summary: 'The candidate takes all traffic' }),
  change('POST /scale_deployment', 'scale', { summary: 'Replicas and limits of what is live' }),
  change('POST /rollback', 'rollback', {
    summary: 'Back to the version before, or to a past revision; without a model the scope admin is needed',
  }),
  change('POST /reload_platform', 'reload', { summary: 'Verify the whole store anew', scope: 'admin' }),
  read('/v1/models', 'models', 'Every version in the store'),
  change('POST /v1/models', 'register', { summary: 'Publish a version', scope: 'publish', status: 201 }),
  read('/v1/models/{name}', 'model', 'A model: its versions and what is live'),
  read('/v1/models/{name}/versions/{version}', 'version', 'A version'),
  change('PUT /v1/models/{name}/versions/{version}', 'upload', {
    summary: 'Publish a version; the body is the ONNX file',
    scope: 'publish',
    status: 201,
  }),
  read('/v1/deployments', 'deployments', 'What is live'),
  read(deployment, 'deployment', 'What is live of a model'),
  change(`PUT ${deployment}`, 'deploy', { summary: 'Put a version live, or beside the live one' }),
  change(`PATCH ${deployment}`, 'scale', { summary: 'Replicas and limits of what is live' }),
  change(`DELETE ${deployment}`, 'undeploy', { summary: 'Take a model out of service' }),
  change(`POST ${deployment}/promote`, 'promote', { summary: 'The candidate takes all traffic' }),
  change(`POST ${deployment}/rollback`, 'rollback', {
    summary: 'Back to the version before, or to a past revision',
  }),
  change(`POST ${deployment}/pause`, 'pause', { summary: 'Hold a canary at its step' }),
  change(`POST ${deployment}/resume`, 'resume', { summary: 'Let a paused canary go on' }),
  change(`POST ${deployment}/approve`, 'approve', { summary: 'Let a canary go past its next step' }),
  change(`POST ${deployment}/abort`, 'abort', { summary: 'Drop the candidate' }),
  change('POST /v1/rollback', 'rollback', {
    summary: 'The whole store, or a model, back to a past revision',
    scope: 'admin',
  }),
  change('POST /v1/reload', 'reload', { summary: 'Verify the whole store anew', scope: 'admin' }),
  read('/v1/history', 'history', 'Who changed what, when and why'),
  read('/v1/openapi.json', 'document', 'This description'),
];

/** What a person types where the keys are, by kind of change. */
export const commandsElsewhere: Readonly<Record<ChangeKind, string>> = {
  register: 'tidegate publish <model> <file> --version <version>',
  upload: 'tidegate publish <model> <file> --version <version>',
  deploy: 'tidegate deploy <model> --version <version>',
  scale: 'tidegate scale <model> --replicas <count>',
  undeploy: 'tidegate undeploy <model>',
  promote: 'tidegate promote <model>',
  rollback: 'tidegate rollback <model>',
  pause: 'tidegate pause <model>',
  resume: 'tidegate resume <model>',
  approve: 'tidegate approve <model>',
  abort: 'tidegate abort <model>',
  reload: 'tidegate verify',
};

export type Match =
  | {
      readonly found: 'endpoint';
      readonly endpoint: Endpoint;
      readonly parameters: ReadonlyMap<string, string>;
    }
  | { readonly found: 'path'; readonly allow: readonly string[] }
  | { readonly found: 'nothing' };

/** HEAD is answered as GET. A segment that does not decode names nothing. */
export function matchEndpoint(method: string, path: string): Match {
  const segments = segmentsOf(path);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const allow = new Set<string>();
  for (const { pattern, endpoint } of patterns) {
    const parameters = parametersOf(pattern, segments);
    if (parameters === undefined) continue;
    if (endpoint.method === wanted) return { found: 'endpoint', endpoint, parameters };
    allow.add(endpoint.method);
    if (endpoint.method === 'GET') allow.add('HEAD');
  }
  return allow.size === 0 ? { found: 'nothing' } : { found: 'path', allow: [...allow] };
}

const patterns = endpoints.map((endpoint) => ({ pattern: segmentsOf(endpoint.path), endpoint }));

/** With or without a slash at the end. */
function segmentsOf(path: string): readonly string[] {
  return path.replace(/(?<=.)\/$/, '').split('/');
}

function parametersOf(
  pattern: readonly string[],
  segments: readonly string[],
): ReadonlyMap<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters = new Map<string, string>();
  for (const [index, piece] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!piece.startsWith('{')) {
      if (piece !== segment) return undefined;
      continue;
    }
    const value = decoded(segment);
    if (value === undefined || value === '') return undefined;
    parameters.set(piece.slice(1, -1), value);
  }
  return parameters;
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
