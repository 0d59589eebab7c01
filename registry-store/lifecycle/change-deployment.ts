/** What is done to a deployment after the first: promote its candidate, scale it, go back. */
import { batchingProblem, type DeploymentBatching } from '../manifest/batching.ts';
import { cacheProblem, type DeploymentCache } from '../manifest/cache.ts';
import type { Action } from '../manifest/change.ts';
import {
  type Deployment,
  type DeploymentResources,
  isSameDeployment,
  type VersionPin,
} from '../manifest/deployment.ts';
import { armFields, armsOf } from '../manifest/candidate-arms.ts';
import { holdProblem } from '../manifest/rollout-plan.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError } from '../store-error.ts';
import { changeStore } from './change-store.ts';
import { findDeployable, findDeployment } from './find-version.ts';
import { live } from './live-deployment.ts';
import { recordChange } from './manifest-file.ts';
import { inheritedPipeline } from './plan-pipeline.ts';
import type { ChangeOptions } from './publisher-options.ts';

export interface ModelOptions extends ChangeOptions {
  readonly model: string;
}

/** What holds for a model whichever of its versions is live. */
export type Settings = Pick<Deployment, 'resources' | 'batching' | 'cache'>;

/** Fields of a part of the settings; null takes one back, so that it is no longer in the manifest. */
export type Given<Part> = { readonly [Field in keyof Part]?: Part[Field] | null };

/** Fields that are given replace those that are there; the others stay. */
export interface GivenSettings {
  readonly resources?: Given<DeploymentResources> | undefined;
  readonly batching?: Given<DeploymentBatching> | undefined;
  readonly cache?: DeploymentCache | undefined;
}

export interface ScaleOptions extends ModelOptions, GivenSettings {}

export interface DeploymentResult {
  readonly snapshot: StoreSnapshot;
  /** Revision of the store afterwards. */
  readonly revision: number;
  /** What is deployed afterwards. */
  readonly deployment: Deployment;
  /** False when that was so already; then nothing was signed. */
  readonly changed: boolean;
}

export type UndeployResult = Omit<DeploymentResult, 'deployment'> & {
  /** What is left; undefined when the model is out of service. */
  readonly deployment: Deployment | undefined;
};

export interface PromoteOptions extends ModelOptions {
  /**
   * So long nodes watch the version beside the one before it and go back by themselves, milliseconds; 0 is no watch.
   * Default what a blue/green was signed with, or no watch.
   */
  readonly watchMs?: number;
  /** Which of several candidates. */
  readonly version?: string;
}

/**
 * The candidate takes all traffic; the version that was live becomes the previous one.
 * Codes: NOT_DEPLOYED, INVALID_STRATEGY.
 */
export async function promoteCandidate(options: PromoteOptions): Promise<DeploymentResult> {
  const problem = options.watchMs === 0 ? undefined : holdProblem('watch', options.watchMs);
  if (problem !== undefined) throw new StoreError('INVALID_STRATEGY', problem);
  return changeDeployment(options, 'promote', (snapshot) => {
    const before = findDeployment(snapshot, options.model);
    const candidate = chosenCandidate(before, options.version);
    const promoted = keepingSettings(live(options.model, candidate, before), before);
    return { ...promoted, ...watchAfter({ ...before, ...candidate }, options.watchMs) };
  });
}

/** The others are dropped with the rollout. */
function chosenCandidate(
  before: Deployment,
  version: string | undefined,
): VersionPin & Pick<Deployment, 'rolloutId'> {
  const { model, candidate, rolloutId, others = [] } = before;
  if (candidate === undefined) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `${model} has no candidate to promote: ${before.version} takes all traffic.`,
    );
  }
  const candidates = [{ ...candidate, ...(rolloutId !== undefined && { rolloutId }) }, ...others];
  const names = candidates.map((each) => each.version).join(', ');
  if (version === undefined && candidates.length > 1) {
    throw new StoreError(
      'INVALID_STRATEGY',
      `${model} has several candidates: ${names}. Say which one is promoted.`,
    );
  }
  const chosen = version === undefined ? candidates[0] : candidates.find((each) => each.version === version);
  if (chosen !== undefined) return chosen;
  throw new StoreError('INVALID_STRATEGY', `${model} ${version ?? ''} is no candidate. There is: ${names}.`);
}

/** Judged as the rollout was. One of a store from before there were ids has nothing to be known by, and is not watched. */
function watchAfter(
  before: Deployment,
  wantedMs: number | undefined,
): Pick<Deployment, 'watch' | 'analysis'> {
  const { flip, rolloutId, analysis } = before;
  const watchMs = wantedMs ?? flip?.watchMs ?? 0;
  if (watchMs === 0 || rolloutId === undefined) return {};
  return { watch: { rolloutId, watchMs }, ...(analysis !== undefined && { analysis }) };
}

/** Codes: NOT_DEPLOYED, INVALID_ARGUMENT. */
export function scaleDeployment(options: ScaleOptions): Promise<DeploymentResult> {
  checkSettings(options);
  return changeDeployment(options, 'scale', (snapshot) => {
    const before = findDeployment(snapshot, options.model);
    return withSettings(before, settings(before, options));
  });
}

/**
 * Ends a rollout that is on, by dropping its candidate; without one, goes back to the previous version.
 * Codes: NOT_DEPLOYED, UNKNOWN_VERSION when there is none to go back to, NOT_DEPLOYABLE when it is archived.
 */
export function rollbackModel(options: ModelOptions): Promise<DeploymentResult> {
  const { model } = options;
  return changeDeployment(options, 'rollback', (snapshot) => {
    const before = findDeployment(snapshot, model);
    const { version, candidate, previousVersion, previousPipeline } = before;
    if (candidate !== undefined) return withoutCandidate(before);
    if (previousVersion === undefined) {
      throw new StoreError('UNKNOWN_VERSION', `${model} has no version before ${version} to go back to.`);
    }
    const found = findDeployable(snapshot, { model, version: previousVersion });
    const pipeline = inheritedPipeline(previousPipeline, found, snapshot);
    const pin = {
      version: previousVersion,
      sha256: found.artifact.sha256,
      ...(pipeline !== undefined && { pipeline }),
    };
    return keepingSettings(live(model, pin, before), before);
  });
}

/** Decides under the lock what is deployed of a model. Signs only what differs from before. */
export async function changeDeployment(
  options: ModelOptions,
  action: Action,
  decide: (snapshot: StoreSnapshot) => Deployment,
): Promise<DeploymentResult> {
  const { deployment, ...result } = await decideDeployment(options, action, decide);
  if (deployment === undefined) throw new Error(`${options.model} is missing after it was deployed`);
  return { ...result, deployment };
}

/** The same; undefined takes the model out of service. */
export async function decideDeployment(
  options: ModelOptions,
  action: Action,
  decide: (snapshot: StoreSnapshot) => Deployment | undefined,
): Promise<UndeployResult> {
  const { model } = options;
  let changed = false;
  const { snapshot } = await changeStore(options, async ({ snapshot: current }, editor) => {
    const after = decide(current) ?? null;
    const before = current.deployments.get(model) ?? null;
    if (isSameDeployment(before, after)) return undefined;
    changed = true;
    const changes = [{ kind: 'deployment', model, before, after } as const];
    return { put: await recordChange(editor, { action, changes, options }) };
  });
  return { snapshot, revision: snapshot.revision, deployment: snapshot.deployments.get(model), changed };
}

/** The live version with all traffic, as it was before the rollout. */
export function withoutCandidate(before: Deployment): Deployment {
  return keepingSettings(live(before.model, before, before), before);
}

/** Without one of its candidates, whose keys go back to the live version; the others keep theirs. */
export function withoutArm(before: Deployment, version: string): Deployment {
  const [first, ...others] = armsOf(before).filter((arm) => arm.version !== version);
  if (first === undefined) return withoutCandidate(before);
  return { ...withoutArms(before), ...armFields([first, ...others], before) };
}

function withoutArms({ others: _others, layout: _layout, ...rest }: Deployment): Deployment {
  return rest;
}

/** Those that are given replace those that are there, field by field. */
export function settings(before: Settings | undefined, given: GivenSettings): Settings {
  const resources = merged(before?.resources, given.resources);
  const batching = merged(before?.batching, given.batching);
  const cache = merged(before?.cache, given.cache);
  return {
    ...(resources !== undefined && { resources }),
    ...(batching !== undefined && { batching }),
    ...(cache !== undefined && { cache }),
  };
}

/** In place of those that it has: what is no longer said is gone. */
export function withSettings(deployment: Deployment, kept: Settings): Deployment {
  const names: ReadonlySet<string> = new Set<keyof Settings>(['resources', 'batching', 'cache']);
  const others = Object.entries(deployment).filter(([name]) => !names.has(name));
  return { ...(Object.fromEntries(others) as unknown as Deployment), ...kept };
}

/** Undefined when neither says anything. */
function merged<Part extends object>(
  before: Part | undefined,
  given: Given<Part> | undefined,
): Part | undefined {
  if (given === undefined) return before;
  const fields = Object.entries({ ...before, ...given }).filter(([, value]) => value !== null);
  return fields.length === 0 ? undefined : (Object.fromEntries(fields) as Part);
}

/** Throws INVALID_ARGUMENT for what no node could carry out. */
export function checkSettings(given: GivenSettings): void {
  const { batching, cache } = settings(undefined, given);
  const problem =
    (batching === undefined ? undefined : batchingProblem(batching)) ??
    (cache === undefined ? undefined : cacheProblem(cache));
  if (problem !== undefined) throw new StoreError('INVALID_ARGUMENT', `${problem}.`);
}

function keepingSettings(next: Deployment, before: Deployment): Deployment {
  return { ...next, ...settings(before, {}) };
}
