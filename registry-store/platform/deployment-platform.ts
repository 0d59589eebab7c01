/**
 * Deployments of a store for a pipeline, over the same lifecycle functions that the command line calls. It decides
 * nothing itself: what is legal, what is signed and what a gateway does with it is said there.
 */
import type { DeploymentBatching } from '../manifest/batching.ts';
import type { DeploymentCache } from '../manifest/cache.ts';
import type { Deployment } from '../manifest/deployment.ts';
import type { Pipeline } from '../manifest/pipeline.ts';
import type { DeploymentManifest } from '../manifest/deployment-manifest.ts';
import { promoteCandidate, scaleDeployment } from '../lifecycle/change-deployment.ts';
import { findModel } from '../lifecycle/find-version.ts';
import { deployModel } from '../lifecycle/deploy-model.ts';
import { type StoreStatus, readStatus } from '../lifecycle/read-status.ts';
import { undeployModel } from '../lifecycle/undeploy-model.ts';
import { StoreError } from '../store-error.ts';
import {
  DeploymentConfig,
  type DeploymentConfigOptions,
  type DeploymentStrategy,
} from './deployment-config.ts';
import { Model } from './model.ts';
import { ModelRegistry } from './model-registry.ts';
import { type PredictOptions, type Prediction, type PredictionRows, predictOverHttp } from './prediction.ts';
import { type ChangeReason, type PlatformOptions, StoreAccess } from './store-access.ts';

/** What is deployed for one model. Fields that nobody asked for are undefined. */
export interface DeploymentInfo {
  readonly model: string;
  /** The version that is live. */
  readonly version: string;
  /** Lower-case hex, of the file that is live. */
  readonly sha256: string;
  /** The version that was live before and is kept for going back. */
  readonly previousVersion?: string;
  readonly strategy: DeploymentStrategy;
  /** The version that stands beside the live one while a rollout is on. */
  readonly candidateVersion?: string;
  /** Percent, for CANARY and SHADOW. */
  readonly canaryTrafficPercentage?: number;
  readonly replicas?: number;
  readonly autoScaling: boolean;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  /** Percent. */
  readonly targetCpuUtilization?: number;
  /** Cores. */
  readonly cpuLimit?: number;
  /** Bytes. */
  readonly memoryLimit?: number;
  /** The models that the live version runs with. */
  readonly pipeline?: Pipeline;
  readonly candidatePipeline?: Pipeline;
  readonly batching?: DeploymentBatching;
  readonly cache?: DeploymentCache;
}

/** The whole store at one moment, verified. */
export interface PlatformState {
  /** Counts every change of the store. */
  readonly revision: number;
  readonly models: readonly Model[];
  /** By name of the model. */
  readonly deployments: ReadonlyMap<string, DeploymentInfo>;
  readonly lastDeploymentChange: DeploymentManifest['changed'];
  /** Signed metadata and how long it counts, in the order of trust. */
  readonly roles: StoreStatus['roles'];
}

/** What `scaleDeployment` may change; what is not named stays. */
export type ScaleConfig = Omit<
  DeploymentConfigOptions,
  'strategy' | 'canaryTrafficPercentage' | 'before' | 'after'
>;

export interface UndeployReason extends ChangeReason {
  /** Takes only this version out of service. */
  readonly version?: string;
}

const predictTimeoutMsDefault = 30_000;

export class DeploymentPlatform {
  readonly registry: ModelRegistry;
  readonly #access: StoreAccess;
  readonly #gateway: { readonly url: string | undefined; readonly timeoutMs: number };

  /** Makes nothing and reads nothing yet. The store is made with `initStore` or `tidegate init`. */
  constructor(options: PlatformOptions) {
    this.#access = new StoreAccess(options);
    this.registry = new ModelRegistry(this.#access);
    this.#gateway = {
      url: options.gatewayUrl,
      timeoutMs: options.predictTimeoutMs ?? predictTimeoutMsDefault,
    };
  }

  /**
   * Puts a version live, at once or beside the live version as the config says. Without a live version BLUE_GREEN and
   * ROLLING have nothing to stand beside, so the version goes live at once; CANARY and SHADOW are INVALID_STRATEGY.
   * Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE, INVALID_STRATEGY, PIPELINE_REFUSED, and those of `deployModel`.
   */
  async deployModel(
    model: string,
    version: string,
    config: DeploymentConfig | DeploymentConfigOptions = {},
    reason: ChangeReason = {},
  ): Promise<DeploymentInfo> {
    const { strategy, trafficBps, resources, pipeline, batching, cache } = configured(config);
    const result = await this.#access.change(reason, (change) =>
      deployModel({
        ...change,
        model,
        version,
        strategy,
        ...(trafficBps !== undefined && { trafficBps }),
        resources,
        batching,
        cache,
        ...(pipeline !== undefined && { pipeline }),
      }),
    );
    return infoOf(result.deployment);
  }

  /** Undefined when no version of the model is live. Codes: UNKNOWN_MODEL, and those of `readStatus`. */
  async getDeploymentInfo(model: string): Promise<DeploymentInfo | undefined> {
    const { snapshot } = await readStatus(this.#access.reader());
    const deployment = snapshot.deployments.get(model);
    if (deployment !== undefined) return infoOf(deployment);
    findModel(snapshot, model);
    return undefined;
  }

  /** A number is a number of replicas. Codes: NOT_DEPLOYED, INVALID_ARGUMENT, and those of `scaleDeployment`. */
  async scaleDeployment(
    model: string,
    scale: number | ScaleConfig,
    reason: ChangeReason = {},
  ): Promise<DeploymentInfo> {
    const { resources, batching, cache } = configured(
      typeof scale === 'number' ? { replicas: scale } : scale,
    );
    if ((resources ?? batching ?? cache) === undefined) {
      throw new StoreError('INVALID_ARGUMENT', 'Nothing to scale: name what changes, such as replicas.');
    }
    const { deployment } = await this.#access.change(reason, (change) =>
      scaleDeployment({ ...change, model, resources, batching, cache }),
    );
    return infoOf(deployment);
  }

  /**
   * Takes a model out of service, or one version of it: the live one and with it the model, one kept for going back, or a
   * candidate and with it the rollout. Nothing is archived. Returns what is left, undefined when nothing is.
   * Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYED, INVALID_STRATEGY for the live version while a rollout is on.
   */
  async undeployModel(model: string, reason: UndeployReason = {}): Promise<DeploymentInfo | undefined> {
    const { version } = reason;
    const { deployment } = await this.#access.change(reason, (change) =>
      undeployModel({ ...change, model, ...(version !== undefined && { version }) }),
    );
    return deployment === undefined ? undefined : infoOf(deployment);
  }

  /** The candidate takes all traffic; the version that was live is kept. Codes: NOT_DEPLOYED, INVALID_STRATEGY. */
  async promoteCanaryToProduction(model: string, reason: ChangeReason = {}): Promise<DeploymentInfo> {
    const { deployment } = await this.#access.change(reason, (change) =>
      promoteCandidate({ ...change, model }),
    );
    return infoOf(deployment);
  }

  /**
   * Asks the gateway named in the options. `rows` are what the model takes, `[rows, columns, ...]`, or one such array for
   * each input by name. Rejects with a `PredictionError` that carries the gateway's code.
   */
  predict(model: string, rows: PredictionRows, options: PredictOptions = {}): Promise<Prediction> {
    return predictOverHttp(this.#gateway, { model, rows, ...options });
  }

  /** Verifies the whole store from the pinned root and returns what is in it. Codes: STORE_REFUSED, STORE_MISSING. */
  async loadState(): Promise<PlatformState> {
    const { snapshot, roles } = await readStatus(this.#access.reader());
    return {
      revision: snapshot.revision,
      models: [...snapshot.models.values()].flatMap((versions) =>
        [...versions.values()].map((version) => new Model(version, this.#access)),
      ),
      deployments: new Map(
        [...snapshot.deployments].map(([model, deployment]) => [model, infoOf(deployment)]),
      ),
      lastDeploymentChange: snapshot.manifest.changed,
      roles,
    };
  }
}

function configured(config: DeploymentConfig | DeploymentConfigOptions): DeploymentConfig {
  return config instanceof DeploymentConfig ? config : new DeploymentConfig(config);
}

function infoOf(deployment: Deployment): DeploymentInfo {
  const { model, version, sha256, previousVersion, strategy, candidate, trafficBps, resources } = deployment;
  const { pipeline, batching, cache } = deployment;
  const { replicas, autoScaling, cpuLimitMillis, memoryLimitBytes } = resources ?? {};
  return {
    model,
    version,
    sha256,
    ...(previousVersion !== undefined && { previousVersion }),
    strategy,
    ...(candidate !== undefined && { candidateVersion: candidate.version }),
    ...(trafficBps !== undefined && { canaryTrafficPercentage: trafficBps / 100 }),
    ...(replicas !== undefined && { replicas }),
    autoScaling: autoScaling !== undefined,
    ...(autoScaling !== undefined && {
      minReplicas: autoScaling.minReplicas,
      maxReplicas: autoScaling.maxReplicas,
      targetCpuUtilization: autoScaling.targetCpuPercent,
    }),
    ...(cpuLimitMillis !== undefined && { cpuLimit: cpuLimitMillis / 1000 }),
    ...(memoryLimitBytes !== undefined && { memoryLimit: memoryLimitBytes }),
    ...(pipeline !== undefined && { pipeline }),
    ...(candidate?.pipeline !== undefined && { candidatePipeline: candidate.pipeline }),
    ...(batching !== undefined && { batching }),
    ...(cache !== undefined && { cache }),
  };
}
