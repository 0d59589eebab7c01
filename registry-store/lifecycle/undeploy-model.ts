/**
 * Takes a model out of service, or one version of it. Its versions stay in the store and in their stages: undeploying
 * never archives, so whatever was live can come back.
 */
import { candidatesOf } from '../manifest/candidate-arms.ts';
import type { Deployment } from '../manifest/deployment.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError } from '../store-error.ts';
import { type ModelOptions, type UndeployResult, decideDeployment, withoutArm } from './change-deployment.ts';
import { findDeployment, findVersion } from './find-version.ts';

export interface UndeployOptions extends ModelOptions {
  /** Default the whole model: the live version, the one kept for going back and a candidate. */
  readonly version?: string;
}

/**
 * A version that is kept for going back is kept no longer; a candidate is dropped, which ends its rollout; with the
 * live version the model is out of service. While a rollout is on the live version cannot go alone, since nobody said
 * whether the candidate is good enough for its callers.
 * Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYED, INVALID_STRATEGY for the live version of a rollout.
 */
export function undeployModel(options: UndeployOptions): Promise<UndeployResult> {
  const { model, version } = options;
  return decideDeployment(options, 'undeploy', (snapshot) => {
    const before = findDeployment(snapshot, model);
    return version === undefined ? undefined : without(before, { version, snapshot });
  });
}

function without(
  before: Deployment,
  { version, snapshot }: { readonly version: string; readonly snapshot: StoreSnapshot },
): Deployment | undefined {
  const { model } = before;
  const candidates = candidatesOf(before).map((candidate) => candidate.version);
  if (version === before.version) {
    if (candidates.length === 0) return undefined;
    throw new StoreError(
      'INVALID_STRATEGY',
      `${model} ${version} is the live version of a rollout to ${candidates.join(', ')}. End the rollout first, or undeploy the whole model.`,
    );
  }
  const isCandidate = candidates.includes(version);
  const isKept = version === before.previousVersion;
  if (!isCandidate && !isKept) {
    findVersion(snapshot, { model, version });
    throw new StoreError('NOT_DEPLOYED', `${model} ${version} is not deployed; ${before.version} is live.`);
  }
  const after = isCandidate ? withoutArm(before, version) : before;
  return isKept ? withoutPrevious(after) : after;
}

/** Nor is there anything left to watch the live version beside, and to judge it by. */
function withoutPrevious({
  previousVersion: _version,
  previousSha256: _sha256,
  previousPipeline: _pipeline,
  watch,
  analysis,
  ...rest
}: Deployment): Deployment {
  return { ...rest, ...(watch === undefined && analysis !== undefined && { analysis }) };
}
