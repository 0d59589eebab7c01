/** The shapes of what the control API sends and takes, as JSON Schema 2020-12, which OpenAPI 3.1 speaks. */
import { type Schema, list, object, ref, text } from '../openapi/schemas.ts';
import { previewRequestsMax, previewRequestsMinDefault } from '../../registry-store/manifest/flip-plan.ts';
import { replicaLimitMax } from '../../registry-store/manifest/rollout-plan.ts';
import {
  allowedRowsCountMax,
  batchDelayUsMax,
  batchRowsMax,
  defaultTimeoutMsMax,
  runMsMaxMax,
  runMsMaxMin,
  weightMax,
} from '../../registry-store/manifest/batching.ts';
import { cacheTtlMsMax } from '../../registry-store/manifest/cache.ts';
import { candidatesMax } from '../../registry-store/manifest/candidate-arms.ts';
import {
  gateActions,
  gateMetrics,
  inconclusiveActions,
  toleratedPercentMax,
  toleratedPercentMin,
} from '../../registry-store/manifest/rollout-analysis.ts';
import { controlErrorTable } from './control-error.ts';
import { pipelineAnswerSchema, pipelineRequestSchema } from './pipeline-fields.ts';

const yesOrNo: Schema = { type: 'boolean' };
const count: Schema = { type: 'integer', minimum: 0 };
const positive: Schema = { type: 'integer', minimum: 1 };
const time: Schema = { type: 'string', description: 'ISO 8601 in UTC.' };
const sha256: Schema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const percentage: Schema = { type: 'number', minimum: 0, maximum: 100, multipleOf: 0.01 };
const replicaLimit: Schema = { ...count, maximum: replicaLimitMax };
const stage: Schema = { enum: ['training', 'staged', 'production', 'archived'] };
const strategies = ['all', 'blue_green', 'canary', 'rolling', 'shadow'];
const revision: Schema = { ...positive, description: 'Counts every change of the store.' };
const why: Schema = {
  type: 'string',
  maxLength: 2000,
  description: 'The reason; it is signed into the history.',
};

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] };
}

/** What is sent has exactly these fields; what is taken has no others either. */
function closed(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  return { ...object(properties, optional), additionalProperties: false };
}

const tensor = closed({
  name: text,
  datatype: text,
  shape: { ...list({ type: 'integer', minimum: -1 }), description: '-1 is a free dimension.' },
});

const versionProperties = {
  name: text,
  version: text,
  stage,
  framework: text,
  author: text,
  description: text,
  created_at: time,
  metrics: { type: 'object', additionalProperties: { type: 'number' } },
  tags: list(text),
  signature: closed(
    {
      inputs: list(tensor),
      outputs: list(tensor),
      batching: { enum: ['rows', 'none'] },
      fixed_rows: { type: 'integer', minimum: 2 },
    },
    ['fixed_rows'],
  ),
  state: list(closed({ input: text, output: text, shape: list({ type: 'integer' }) })),
  parameter_count: count,
  size_bytes: count,
  sha256,
  published: closed({ revision, by: text, why: text }),
  deployed_as: orNull({ enum: ['live', 'candidate', 'previous'] }),
};

const gate = closed(
  {
    action: { enum: gateActions },
    tolerated_percent: { type: 'integer', minimum: toleratedPercentMin, maximum: toleratedPercentMax },
  },
  ['tolerated_percent'],
);

const headerRule = { name: text, value: text, prefix: text };
const cohort = allOptional({
  headers: list(closed(headerRule, ['value', 'prefix'])),
  keys: list(text),
});

const batching = allOptional({
  max_rows: { ...positive, maximum: batchRowsMax },
  allowed_rows: {
    ...list({ ...positive, maximum: batchRowsMax }),
    maxItems: allowedRowsCountMax,
    description:
      'Ascending; batches are cut down to the largest that is not more than what waits. None is any size.',
  },
  max_delay_us: { ...count, maximum: batchDelayUsMax },
  weight: { ...positive, maximum: weightMax },
  default_timeout_ms: { ...positive, maximum: defaultTimeoutMsMax },
  max_run_ms: {
    type: 'integer',
    minimum: runMsMaxMin,
    maximum: runMsMaxMax,
    description: 'A run that takes longer counts as hanging, whatever the limits of the node.',
  },
});

const cache = allOptional({
  enabled: { ...yesOrNo, description: 'Whether nodes with room for it keep answers.' },
  ttl_ms: { ...count, maximum: cacheTtlMsMax, description: 'So long an answer counts; 0 without an end.' },
});

const deploymentProperties = {
  model: text,
  version: { ...text, description: 'The version that takes the traffic.' },
  sha256,
  previous_version: orNull(text),
  pipeline: orNull(pipelineAnswerSchema),
  strategy: { enum: strategies },
  candidate_version: orNull(text),
  candidate_pipeline: orNull(pipelineAnswerSchema),
  canary_traffic_percentage: orNull({ type: 'number', minimum: 0, maximum: 100 }),
  others: orNull({
    ...list(closed({ version: text, percentage })),
    description: 'Further candidates of a canary, with shares of their own.',
  }),
  plan: orNull(
    closed(
      {
        steps: list(closed({ traffic_bps: positive, hold_ms: positive }, ['hold_ms'])),
        approvals: count,
        bake_ms: positive,
        deadline_ms: positive,
        limits: closed({ surge: replicaLimit, unavailable: replicaLimit }),
        paused: yesOrNo,
      },
      ['bake_ms', 'deadline_ms', 'limits'],
    ),
  ),
  flip: orNull(
    closed(
      { auto_after_ms: positive, preview_requests_min: positive, watch_ms: positive, mirror_bps: positive },
      ['auto_after_ms', 'watch_ms', 'mirror_bps'],
    ),
  ),
  watch: orNull(closed({ rollout_id: text, watch_ms: positive })),
  analysis: orNull(
    allOptional({
      gates: allOptional(Object.fromEntries(gateMetrics.map((metric) => [metric, gate]))),
      callers_min: count,
      inconclusive_after_ms: positive,
      on_inconclusive: { enum: inconclusiveActions },
    }),
  ),
  cohorts: orNull(allOptional({ candidate: cohort, stable: cohort })),
  replicas: orNull(positive),
  auto_scaling: yesOrNo,
  min_replicas: orNull(positive),
  max_replicas: orNull(positive),
  target_cpu_utilization: orNull(positive),
  cpu_limit: orNull({ type: 'number', description: 'Cores.' }),
  memory_limit: orNull({ ...positive, description: 'Bytes.' }),
  batching: orNull(batching),
  cache: orNull(cache),
  endpoint: { ...text, description: 'Where predictions are asked for.' },
};

const resourceProperties = {
  replicas: { ...positive, maximum: 1024 },
  auto_scaling: yesOrNo,
  min_replicas: { ...positive, maximum: 1024 },
  max_replicas: { ...positive, maximum: 1024 },
  target_cpu_utilization: { ...positive, maximum: 100 },
  cpu_limit: { type: ['number', 'string'], description: 'Cores, as 0.5 or "500m".' },
  memory_limit: { type: ['number', 'string'], description: 'Bytes, or "512Mi".' },
  batching,
  cache,
};

const undeployedVersion: Schema = {
  ...text,
  description: 'One candidate, or the version kept for going back; default the model with all of them.',
};

const rolloutProperties = {
  strategy: { enum: [...strategies, 'immediate'], description: '`immediate` is `all`, the default.' },
  canary_traffic_percentage: {
    ...percentage,
    description: 'For canary (default 10) and shadow (default 100).',
  },
  others: {
    ...list(closed({ version: text, percentage })),
    maxItems: candidatesMax - 1,
    description: 'Further candidates of a canary without steps, each with a share of its own.',
  },
  steps: {
    ...list(closed({ percentage, hold_seconds: positive }, ['hold_seconds'])),
    description: 'The way of a canary; a step without hold_seconds waits for approval.',
  },
  auto_promote_after_seconds: {
    ...positive,
    description:
      'For blue_green: nodes flip by themselves after a preview of so long that shows nothing wrong.',
  },
  preview_requests_min: {
    ...positive,
    maximum: previewRequestsMax,
    description: `For blue_green: requests that the preview must have answered before (default ${previewRequestsMinDefault}).`,
  },
  mirror_percentage: {
    ...percentage,
    description:
      'For blue_green: share of the requests of which the preview gets copies, answers unused, to judge it by.',
  },
  surge: {
    ...replicaLimit,
    description: 'For rolling: replicas that come at a time, beyond those that there are (default 1).',
  },
  max_unavailable: {
    ...replicaLimit,
    description:
      'For rolling: replicas of the live version given up before their successors are ready (default 0).',
  },
  watch_seconds: {
    ...positive,
    description: 'For blue_green: so long after it nodes watch the new version and go back by themselves.',
  },
  pipeline: pipelineRequestSchema,
  ...resourceProperties,
  why,
};

const promoteProperties = {
  watch_seconds: {
    ...count,
    description:
      'So long nodes watch it; 0 is not at all. Default as a blue_green was deployed, else not at all.',
  },
  why,
};

const metadataProperties = {
  framework: text,
  author: text,
  description: text,
  metrics: { type: 'object', additionalProperties: { type: 'number' } },
  tags: list(text),
  state: list({
    ...text,
    description: 'input=output, or input=output,2x1x128 with the sizes it begins with.',
  }),
  fixed_batch: {
    type: 'boolean',
    description:
      'The rows of its fixed first dimension do not depend on each other: requests may share a run.',
  },
  stage: { enum: ['staged', 'training'] },
  why,
};

const registerProperties = { name: text, version: text, ...metadataProperties };
const registerOptional = Object.keys(metadataProperties).filter((name) => name !== 'author');
const model = { model_name: text };

function allOptional(properties: Readonly<Record<string, Schema>>): Schema {
  return closed(properties, Object.keys(properties));
}

export const controlSchemas: Readonly<Record<string, Schema>> = {
  Error: closed({ error: text, code: { enum: Object.keys(controlErrorTable) } }),
  Version: closed(versionProperties, ['state']),
  VersionWithRevision: closed({ ...versionProperties, revision }, ['state']),
  Models: closed({ revision, models: list(ref('Version')) }),
  Model: closed({
    name: text,
    deployment: orNull(ref('Deployment')),
    versions: list(ref('Version')),
    revision,
  }),
  Deployment: closed(deploymentProperties),
  DeploymentWithRevision: closed({ ...deploymentProperties, revision }),
  Deployments: closed({ revision, deployments: list(ref('Deployment')) }),
  Undeployed: closed({ model: text, version: orNull(text), undeployed: { const: true }, revision }),
  RolledBack: closed({
    to_revision: positive,
    model: orNull(text),
    changes: list({ type: 'object' }),
    revision,
  }),
  Reloaded: closed({ reloaded: { const: true }, revision, models: count, deployments: count }),
  History: closed({
    events: list(
      closed({ revision, at: time, by: text, why: text, action: text, changes: list({ type: 'object' }) }),
    ),
  }),
  RegisterRequest: closed(
    {
      ...registerProperties,
      artifact_base64: { type: 'string', contentEncoding: 'base64' },
      artifact_path: { ...text, description: 'In the artifacts folder of the node.' },
    },
    [...registerOptional, 'artifact_base64', 'artifact_path'],
  ),
  RegisterForm: closed({ metadata: ref('RegisterFacts'), artifact: { type: 'string', format: 'binary' } }),
  RegisterFacts: closed(registerProperties, registerOptional),
  DeployModelRequest: closed(
    { ...model, model_version: text, ...rolloutProperties },
    Object.keys(rolloutProperties),
  ),
  DeployRequest: closed({ version: text, ...rolloutProperties }, Object.keys(rolloutProperties)),
  ScaleDeploymentRequest: closed({ ...model, ...resourceProperties, why }, [
    ...Object.keys(resourceProperties),
    'why',
  ]),
  ScaleRequest: allOptional({ ...resourceProperties, why }),
  ModelNameRequest: closed({ ...model, why }, ['why']),
  WhyRequest: allOptional({ why }),
  UndeployModelRequest: closed({ ...model, model_version: undeployedVersion, why }, ['model_version', 'why']),
  UndeployRequest: allOptional({ version: undeployedVersion, why }),
  PromoteCanaryRequest: closed({ ...model, model_version: text, ...promoteProperties }, [
    'model_version',
    ...Object.keys(promoteProperties),
  ]),
  PromoteRequest: allOptional({ version: text, ...promoteProperties }),
  RollbackStoreRequest: allOptional({ ...model, to_revision: positive, why }),
  RollbackRequest: allOptional({ to_revision: positive, why }),
};
