/**
 * What a request asks for, as typed values: the fields of the older paths and those of the paths under /v1, read from
 * fields that came as JSON. Whether names, metrics and quantities can be used is decided where they are signed; here is
 * decided which fields there are and of what kind.
 */
import {
  type DeploymentConfigOptions,
  DeploymentStrategy,
  parseStateDeclaration,
} from '../../registry-store/main.ts';
import type {
  EntryStage,
  ModelMetadataOptions,
  PipelineRequest,
  RolloutStep,
  ScaleConfig,
} from '../../registry-store/main.ts';
import { type ControlResult, accepted } from './control-error.ts';
import { readPipelineField } from './pipeline-fields.ts';
import { RequestFields, shown } from './request-fields.ts';
import { readSettings, settingsFields } from './settings-fields.ts';
import {
  type FlipRequest,
  type LimitsRequest,
  msOf,
  type Other,
  readFlip,
  readLimits,
  readOthers,
  readSteps,
  seconds,
} from './rollout-fields.ts';

export type Fields = ReadonlyMap<string, unknown>;

export interface RegisterRequest {
  readonly metadata: ModelMetadataOptions;
  readonly stage: EntryStage | undefined;
  readonly why: string | undefined;
}

/** Where the bytes of an artifact come from. */
export type ArtifactSource =
  | { readonly from: 'bytes'; readonly bytes: Uint8Array }
  /** Below the artifacts folder of this node. */
  | { readonly from: 'path'; readonly path: string };

export interface DeployRequest {
  readonly model: string;
  readonly version: string;
  readonly config: DeploymentConfigOptions;
  /** Instead of a share of its own in `config`, whose strategy is then CANARY. */
  readonly steps: readonly RolloutStep[] | undefined;
  readonly others: readonly Other[] | undefined;
  readonly flip: FlipRequest;
  readonly limits: LimitsRequest;
  /** Without models it ends one; undefined leaves it as it is. */
  readonly pipeline: PipelineRequest | undefined;
  readonly why: string | undefined;
}

export interface ScaleRequest {
  readonly model: string;
  readonly config: ScaleConfig;
  readonly why: string | undefined;
}

export interface ModelRequest {
  readonly model: string;
  readonly why: string | undefined;
}

export interface UndeployRequest extends ModelRequest {
  /** When given, only this version goes, and the model stays deployed with the others. */
  readonly version: string | undefined;
}

export interface PromoteRequest extends ModelRequest {
  /** When given, only this candidate is promoted, and one that is live already is no error. */
  readonly version: string | undefined;
  /** 0 is no watch. */
  readonly watchMs: number | undefined;
}

export interface RollbackRequest {
  /** Undefined is every model, which needs a revision. */
  readonly model: string | undefined;
  /** Undefined is one step back. */
  readonly revision: number | undefined;
  readonly why: string | undefined;
}

export interface HistoryRequest {
  readonly model: string | undefined;
  readonly fromRevision: number | undefined;
  readonly limit: number;
}

const metadataFields = [
  'framework',
  'author',
  'description',
  'metrics',
  'tags',
  'state',
  'fixed_batch',
  'stage',
  'why',
] as const;
const entryStages: readonly EntryStage[] = ['staged', 'training'];
const resourceFields = [
  'replicas',
  'auto_scaling',
  'min_replicas',
  'max_replicas',
  'target_cpu_utilization',
  'cpu_limit',
  'memory_limit',
] as const;
/** What can be changed of a deployment whichever version is live. */
const scalingFields = [...resourceFields, ...settingsFields] as const;
const rolloutFields = [
  ...['strategy', 'canary_traffic_percentage', 'others', 'steps'],
  ...['auto_promote_after_seconds', 'preview_requests_min', 'mirror_percentage', 'watch_seconds'],
  ...['surge', 'max_unavailable', 'pipeline'],
] as const;
const revisions = { min: 1, max: Number.MAX_SAFE_INTEGER };

/** `name` and `version` are fields, unless the path has them. */
export function readRegister(
  fields: Fields,
  path: { readonly name: string; readonly version: string } | undefined,
  extra: readonly string[] = [],
): ControlResult<RegisterRequest> {
  const names = path === undefined ? ['name', 'version'] : [];
  const reader = new RequestFields(fields, [...names, ...metadataFields, ...extra]);
  const framework = reader.textIfGiven('framework');
  const description = reader.textIfGiven('description');
  const metrics = reader.numbersIfGiven('metrics');
  const tags = reader.textsIfGiven('tags');
  const state = reader.textsIfGiven('state')?.map((text) => {
    const declared = parseStateDeclaration(text);
    if (declared === undefined) reader.reject('state', 'is written as input=output or input=output,2x1x128');
    return declared ?? { input: '', output: '' };
  });
  const fixedBatch = reader.booleanIfGiven('fixed_batch');
  const metadata: ModelMetadataOptions = {
    name: path?.name ?? reader.text('name'),
    version: path?.version ?? reader.text('version'),
    author: reader.text('author'),
    ...(framework !== undefined && { framework }),
    ...(description !== undefined && { description }),
    ...(metrics !== undefined && { metrics }),
    ...(tags !== undefined && { tags }),
    ...(state !== undefined && { state }),
    ...(fixedBatch !== undefined && { fixedBatch }),
  };
  return reader.finish({
    metadata,
    stage: reader.oneOfIfGiven('stage', entryStages),
    why: reader.textIfGiven('why'),
  });
}

/** A version with its artifact in the same JSON: as base64, or by its place in the artifacts folder. */
export function readRegisterJson(
  fields: Fields,
): ControlResult<{ readonly request: RegisterRequest; readonly artifact: ArtifactSource }> {
  const request = readRegister(fields, undefined, ['artifact_base64', 'artifact_path']);
  if (!request.ok) return request;
  const reader = new RequestFields(fields, [...fields.keys()]);
  const base64 = reader.textIfGiven('artifact_base64');
  const path = reader.textIfGiven('artifact_path');
  if ((base64 === undefined) === (path === undefined)) {
    reader.reject('artifact_base64', 'or artifact_path has to be given, and not both');
  }
  const bytes = base64 === undefined ? undefined : bytesOfBase64(base64);
  if (base64 !== undefined && bytes === undefined) reader.reject('artifact_base64', 'is not base64');
  const artifact: ArtifactSource =
    bytes === undefined ? { from: 'path', path: path ?? '' } : { from: 'bytes', bytes };
  return reader.finish({ request: request.value, artifact });
}

/** `model_name` and `model_version` on the older path; under /v1 the model is in the path and `version` a field. */
export function readDeploy(fields: Fields, pathModel: string | undefined): ControlResult<DeployRequest> {
  const names = pathModel === undefined ? (['model_name', 'model_version'] as const) : (['version'] as const);
  const reader = new RequestFields(fields, [...names, ...rolloutFields, ...scalingFields, 'why']);
  const model = pathModel ?? reader.text('model_name');
  const version = reader.text(pathModel === undefined ? 'model_version' : 'version');
  const steps = readSteps(reader);
  const strategy = readStrategy(reader) ?? (steps === undefined ? undefined : DeploymentStrategy.CANARY);
  const share = reader.numberIfGiven('canary_traffic_percentage');
  if (steps !== undefined && (share !== undefined || strategy !== DeploymentStrategy.CANARY)) {
    reader.reject('steps', 'is the way of a canary, instead of canary_traffic_percentage');
  }
  const config: DeploymentConfigOptions = {
    ...readResources(reader),
    ...readSettings(reader),
    ...(strategy !== undefined && { strategy }),
    ...(share !== undefined && { canaryTrafficPercentage: share }),
  };
  return reader.finish({
    model,
    version,
    config,
    steps,
    others: readOthers(reader),
    flip: readFlip(reader),
    limits: readLimits(reader),
    pipeline: readPipelineField(reader),
    why: reader.textIfGiven('why'),
  });
}

export function readScale(fields: Fields, pathModel: string | undefined): ControlResult<ScaleRequest> {
  const names = pathModel === undefined ? ['model_name'] : [];
  const reader = new RequestFields(fields, [...names, ...scalingFields, 'why']);
  const model = pathModel ?? reader.text('model_name');
  if (!scalingFields.some((field) => reader.has(field))) {
    reader.reject('replicas', `or another of ${scalingFields.slice(1).join(', ')} has to be given`);
  }
  const config = { ...readResources(reader), ...readSettings(reader) };
  return reader.finish({ model, config, why: reader.textIfGiven('why') });
}

/** For changes that say only which model. */
export function readModel(fields: Fields, pathModel: string | undefined): ControlResult<ModelRequest> {
  const reader = new RequestFields(fields, [...(pathModel === undefined ? ['model_name'] : []), 'why']);
  return reader.finish({
    model: pathModel ?? reader.text('model_name'),
    why: reader.textIfGiven('why'),
  });
}

export function readUndeploy(fields: Fields, pathModel: string | undefined): ControlResult<UndeployRequest> {
  const names = pathModel === undefined ? (['model_name', 'model_version'] as const) : (['version'] as const);
  const reader = new RequestFields(fields, [...names, 'why']);
  return reader.finish({
    model: pathModel ?? reader.text('model_name'),
    version: reader.textIfGiven(pathModel === undefined ? 'model_version' : 'version'),
    why: reader.textIfGiven('why'),
  });
}

export function readPromote(fields: Fields, pathModel: string | undefined): ControlResult<PromoteRequest> {
  const [name, version] = pathModel === undefined ? ['model_name', 'model_version'] : ['', 'version'];
  const reader = new RequestFields(
    fields,
    [name, version, 'watch_seconds', 'why'].filter((field) => field !== ''),
  );
  return reader.finish({
    model: pathModel ?? reader.text('model_name'),
    version: reader.textIfGiven(version),
    watchMs: msOf(reader.wholeIfGiven('watch_seconds', { ...seconds, min: 0 })),
    why: reader.textIfGiven('why'),
  });
}

/** Without a model in the path the whole store can be meant, and `model_name` narrows it down. */
export function readRollback(fields: Fields, pathModel: string | undefined): ControlResult<RollbackRequest> {
  const names = pathModel === undefined ? ['model_name'] : [];
  const reader = new RequestFields(fields, [...names, 'to_revision', 'why']);
  const model = pathModel ?? reader.textIfGiven('model_name');
  const revision = reader.wholeIfGiven('to_revision', revisions);
  if (model === undefined && revision === undefined) {
    reader.reject('model_name', 'or to_revision has to be given');
  }
  return reader.finish({ model, revision, why: reader.textIfGiven('why') });
}

/** Everything in a query is text. */
export function readHistoryQuery(query: Fields, eventsMax: number): ControlResult<HistoryRequest> {
  const numbers = new Map(
    [...query].map(([name, value]): [string, unknown] => {
      const isNumber = name !== 'model' && typeof value === 'string' && /^\d{1,15}$/.test(value);
      return [name, isNumber ? Number(value) : value];
    }),
  );
  const reader = new RequestFields(numbers, ['model', 'from_revision', 'limit']);
  return reader.finish({
    model: reader.textIfGiven('model'),
    fromRevision: reader.wholeIfGiven('from_revision', revisions),
    limit: reader.wholeIfGiven('limit', { min: 1, max: eventsMax }) ?? Math.min(100, eventsMax),
  });
}

function readResources(reader: RequestFields): ScaleConfig {
  const replicas = reader.numberIfGiven('replicas');
  const autoScaling = reader.booleanIfGiven('auto_scaling');
  const minReplicas = reader.numberIfGiven('min_replicas');
  const maxReplicas = reader.numberIfGiven('max_replicas');
  const targetCpuUtilization = reader.numberIfGiven('target_cpu_utilization');
  const cpuLimit = reader.numberOrTextIfGiven('cpu_limit');
  const memoryLimit = reader.numberOrTextIfGiven('memory_limit');
  return {
    ...(replicas !== undefined && { replicas }),
    ...(autoScaling !== undefined && { autoScaling }),
    ...(minReplicas !== undefined && { minReplicas }),
    ...(maxReplicas !== undefined && { maxReplicas }),
    ...(targetCpuUtilization !== undefined && { targetCpuUtilization }),
    ...(cpuLimit !== undefined && { cpuLimit }),
    ...(memoryLimit !== undefined && { memoryLimit }),
  };
}

/** `immediate` is another name of `all`; older clients write names in capitals or with hyphens. */
function readStrategy(reader: RequestFields): DeploymentStrategy | undefined {
  const given = reader.textIfGiven('strategy');
  if (given === undefined) return undefined;
  const name = given.toLowerCase().replaceAll('-', '_');
  const known = Object.values(DeploymentStrategy);
  const found = name === 'immediate' ? DeploymentStrategy.IMMEDIATE : known.find((one) => one === name);
  if (found === undefined) reader.reject('strategy', `is ${shown(given)}; use one of ${known.join(', ')}`);
  return found;
}

/** Buffer skips what is not base64; a file that was damaged on its way must not become another file. */
function bytesOfBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}

/** The filters of a list of versions. */
export function readModelFilter(
  query: Fields,
): ControlResult<{ readonly name?: string; readonly stage?: string; readonly tag?: string }> {
  const reader = new RequestFields(query, ['name', 'stage', 'tag']);
  const [name, stage, tag] = [
    reader.textIfGiven('name'),
    reader.oneOfIfGiven('stage', ['training', 'staged', 'production', 'archived']),
    reader.textIfGiven('tag'),
  ];
  return reader.finish({
    ...(name !== undefined && { name }),
    ...(stage !== undefined && { stage }),
    ...(tag !== undefined && { tag }),
  });
}

/** For requests that take no field at all. */
export function readNothing(fields: Fields): ControlResult<undefined> {
  const { problem } = new RequestFields(fields, []);
  return problem ?? accepted(undefined);
}
