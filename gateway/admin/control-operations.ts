/**
 * The changes that can be asked for, over the same lifecycle functions that the command line calls. It decides nothing
 * itself: what is legal and what is signed is said there. Rejects with a StoreError for what the store refuses.
 */
import {
  type ChangeOptions,
  type Deployment,
  DeploymentConfig,
  type DeploymentConfigOptions,
  type DeploymentResult,
  ModelMetadata,
  type ModelOptions,
  StoreError,
  type VersionMetadata,
  abortRollout,
  approveRollout,
  declaredState,
  deployModel,
  pauseRollout,
  promoteCandidate,
  publishModel,
  resumeRollout,
  rollbackModel,
  rollbackTo,
  scaleDeployment,
  stateJson,
  undeployModel,
} from '../../registry-store/main.ts';
import { candidatesOf } from '../../registry-store/manifest/candidate-arms.ts';
import { findVersion } from '../../registry-store/lifecycle/find-version.ts';
import { changeJson } from '../../registry-store/manifest/change.ts';
import type { ChangeReason, StoreAccess } from '../../registry-store/platform/store-access.ts';
import { sha256Of } from '../../registry-store/trust/artifact-digest.ts';
import { deploymentAnswer, versionAnswer } from './control-answers.ts';
import { type ControlFailure, refuse } from './control-error.ts';
import type {
  DeployRequest,
  ModelRequest,
  PromoteRequest,
  RegisterRequest,
  RollbackRequest,
  ScaleRequest,
  UndeployRequest,
} from './control-requests.ts';
import type { ControlStore } from './control-store.ts';

/** A change that is in force, or was already. */
export interface Changed {
  readonly ok: true;
  readonly body: Readonly<Record<string, unknown>>;
  /** Of the store afterwards. */
  readonly revision: number;
  /** False when everything was so already; then nothing was signed. */
  readonly changed: boolean;
}

export type ChangeOutcome = Changed | ControlFailure;

export type RolloutMove = 'abort' | 'approve' | 'pause' | 'resume';

const moves: Readonly<Record<RolloutMove, (options: ModelOptions) => Promise<DeploymentResult>>> = {
  abort: abortRollout,
  approve: approveRollout,
  pause: pauseRollout,
  resume: resumeRollout,
};

/** Who asks, for the signed record, and how the change is given up as long as it is not in force. */
export interface Asker {
  readonly by: string;
  readonly signal: AbortSignal;
}

/** Why a file can never be in memory on this node, for people; undefined when it may. */
export type MemoryRefusal = (artifact: VersionMetadata['artifact']) => string | undefined;

export class ControlOperations {
  readonly #store: ControlStore;
  readonly #access: StoreAccess;
  readonly #endpointOf: (model: string) => string;
  readonly #memoryRefusalOf: MemoryRefusal | undefined;

  constructor(options: {
    readonly store: ControlStore;
    readonly access: StoreAccess;
    /** Where predictions of a model are asked for. */
    readonly endpointOf: (model: string) => string;
    /** Left out where nothing serves beside the control API. */
    readonly memoryRefusalOf?: MemoryRefusal | undefined;
  }) {
    this.#store = options.store;
    this.#access = options.access;
    this.#endpointOf = options.endpointOf;
    this.#memoryRefusalOf = options.memoryRefusalOf;
  }

  /** With `again`, the same bytes and facts under the same name are no duplicate, as PUT has it. */
  async register(
    wanted: { readonly request: RegisterRequest; readonly artifact: Uint8Array; readonly again: boolean },
    asker: Asker,
  ): Promise<ChangeOutcome> {
    const { request, artifact, again } = wanted;
    const checked = new ModelMetadata(request.metadata);
    const { name, version, metrics, ...facts } = checked;
    try {
      const published = await this.#access.change(reasonOf(asker, request.why), (change) =>
        publishModel({
          ...change,
          ...facts,
          model: name,
          version,
          artifact,
          metrics: new Map(Object.entries(metrics)),
          ...(request.stage !== undefined && { stage: request.stage }),
        }),
      );
      return versionOutcome(published.version, { deployment: undefined, changed: true });
    } catch (error) {
      if (!again || !(error instanceof StoreError) || error.code !== 'DUPLICATE_VERSION') throw error;
      const snapshot = await this.#store.verified();
      const known = findVersion(snapshot, { model: name, version });
      if (!isSameVersion(known, checked, artifact)) throw error;
      return versionOutcome(known, { deployment: snapshot.deployments.get(name), changed: false });
    }
  }

  async deploy(wanted: DeployRequest, asker: Asker): Promise<ChangeOutcome> {
    const { model, version, config, steps, others, flip, limits, pipeline, why } = wanted;
    const refusal = await this.#memoryRefusal(model, [version, ...(others ?? []).map((arm) => arm.version)]);
    if (refusal !== undefined) return refuse('MODEL_MEMORY', refusal);
    const { strategy, trafficBps, resources, batching, cache } = configured(config);
    return this.#change(asker, why, (change) =>
      deployModel({
        ...change,
        model,
        version,
        strategy,
        ...flip,
        ...limits,
        ...(others !== undefined && { others }),
        ...(pipeline !== undefined && { pipeline }),
        ...(steps !== undefined ? { steps } : trafficBps !== undefined && { trafficBps }),
        resources,
        batching,
        cache,
      }),
    );
  }

  /** A deployment that its own node could not carry out is better not signed. */
  async #memoryRefusal(model: string, names: readonly string[]): Promise<string | undefined> {
    const refusalOf = this.#memoryRefusalOf;
    if (refusalOf === undefined) return undefined;
    const versions = (await this.#store.snapshot()).models.get(model);
    return names
      .map((name) => versions?.get(name)?.artifact)
      .map((artifact) => artifact && refusalOf(artifact))
      .find((refusal) => refusal !== undefined);
  }

  async undeploy({ model, version, why }: UndeployRequest, asker: Asker): Promise<ChangeOutcome> {
    const { revision, changed } = await this.#access.change(reasonOf(asker, why), (change) =>
      undeployModel({ ...change, model, ...(version !== undefined && { version }) }),
    );
    const body = { model, version: version ?? null, undeployed: true, revision };
    return { ok: true, body, revision, changed };
  }

  /** A promote that names the version may be sent again; one that does not is refused when there is no candidate. */
  async promote({ model, version, watchMs, why }: PromoteRequest, asker: Asker): Promise<ChangeOutcome> {
    if (version !== undefined) {
      const { deployments, revision } = await this.#store.verified();
      const deployment = deployments.get(model);
      const candidates = deployment === undefined ? [] : candidatesOf(deployment).map((pin) => pin.version);
      if (deployment?.version === version && candidates.length === 0) {
        return this.#deployed({ deployment, revision, changed: false });
      }
      if (deployment !== undefined && !candidates.includes(version)) {
        const now = candidates.length === 0 ? 'There is none' : `It is ${candidates.join(', ')}`;
        return refuse('CANDIDATE_CHANGED', `${version} is not the candidate of ${model}. ${now}.`);
      }
    }
    return this.#change(asker, why, (change) =>
      promoteCandidate({
        ...change,
        model,
        ...(version !== undefined && { version }),
        ...(watchMs !== undefined && { watchMs }),
      }),
    );
  }

  async scale({ model, config, why }: ScaleRequest, asker: Asker): Promise<ChangeOutcome> {
    const { resources, batching, cache } = configured(config);
    return this.#change(asker, why, (change) =>
      scaleDeployment({ ...change, model, resources, batching, cache }),
    );
  }

  move(move: RolloutMove, { model, why }: ModelRequest, asker: Asker): Promise<ChangeOutcome> {
    return this.#change(asker, why, (change) => moves[move]({ ...change, model }));
  }

  /** One step back for a model, or everything as it was at a revision. */
  async rollback({ model, revision: to, why }: RollbackRequest, asker: Asker): Promise<ChangeOutcome> {
    if (to === undefined) {
      if (model === undefined) return refuse('INVALID_REQUEST', 'Name a model or a revision.');
      return this.#change(asker, why, (change) => rollbackModel({ ...change, model }));
    }
    const { revision, changes, changed } = await this.#access.change(reasonOf(asker, why), (change) =>
      rollbackTo({ ...change, revision: to, ...(model !== undefined && { model }) }),
    );
    const body = { to_revision: to, model: model ?? null, changes: changes.map(changeJson), revision };
    return { ok: true, body, revision, changed };
  }

  async #change(
    asker: Asker,
    why: string | undefined,
    work: (change: ChangeOptions) => Promise<DeploymentResult>,
  ): Promise<Changed> {
    return this.#deployed(await this.#access.change(reasonOf(asker, why), work));
  }

  #deployed({
    deployment,
    revision,
    changed,
  }: Pick<DeploymentResult, 'deployment' | 'revision' | 'changed'>): Changed {
    const body = { ...deploymentAnswer(deployment, this.#endpointOf(deployment.model)), revision };
    return { ok: true, body, revision, changed };
  }
}

function versionOutcome(
  version: VersionMetadata,
  { deployment, changed }: { readonly deployment: Deployment | undefined; readonly changed: boolean },
): Changed {
  const { revision } = version.published;
  return { ok: true, body: { ...versionAnswer(version, deployment), revision }, revision, changed };
}

function isSameVersion(known: VersionMetadata, wanted: ModelMetadata, artifact: Uint8Array): boolean {
  const told = [
    known.framework,
    known.author,
    known.description,
    Object.fromEntries(known.metrics),
    known.tags,
    known.signature.fixedRows !== undefined,
    stateJson(known.state),
  ];
  const asked = [
    wanted.framework,
    wanted.author,
    wanted.description,
    wanted.metrics,
    wanted.tags,
    wanted.fixedBatch,
    stateJson(declaredState(wanted.state, known.signature)),
  ];
  return (
    known.artifact.sha256 === sha256Of(artifact) &&
    known.artifact.lengthBytes === artifact.length &&
    spelled(told) === spelled(asked)
  );
}

/** With the fields of objects in one order. */
function spelled(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)))
      : part,
  );
}

const fieldNames = [
  ['canaryTrafficPercentage', 'canary_traffic_percentage'],
  ['targetCpuUtilization', 'target_cpu_utilization'],
  ['autoScaling', 'auto_scaling'],
  ['minReplicas', 'min_replicas'],
  ['maxReplicas', 'max_replicas'],
  ['memoryLimit', 'memory_limit'],
  ['cpuLimit', 'cpu_limit'],
] as const;

/** The config names its fields as TypeScript does; whoever asks over HTTP wrote them otherwise. */
function configured(config: DeploymentConfigOptions): DeploymentConfig {
  try {
    return new DeploymentConfig(config);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const message = fieldNames.reduce((text, [here, there]) => text.replaceAll(here, there), error.message);
    throw new StoreError(error.code, message, { cause: error });
  }
}

function reasonOf({ by, signal }: Asker, why: string | undefined): ChangeReason {
  return { by, signal, ...(why !== undefined && { why }) };
}
