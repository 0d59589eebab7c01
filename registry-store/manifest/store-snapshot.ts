/**
 * The whole content of a store at one moment, as the gateway sees it: every model, every version, what is live.
 * It is built from verified metadata only and replaced as a whole; nothing in it ever changes.
 */
import type { Deployment, DeploymentManifest } from './deployment-manifest.ts';
import type { Parsed } from './field-reader.ts';
import { mayBeDeployed } from './stage.ts';
import type { VersionMetadata } from './version-metadata.ts';

export interface StoreSnapshot {
  /** Grows with every change of the store, published version or deployment alike: the TUF timestamp version. */
  readonly revision: number;
  /** Model name, then version. */
  readonly models: ReadonlyMap<string, ReadonlyMap<string, VersionMetadata>>;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly manifest: DeploymentManifest;
}

/** Joins versions and deployments; refuses a deployment of what is not there, is archived or has other bytes. */
export function joinSnapshot(parts: {
  readonly revision: number;
  readonly versions: readonly VersionMetadata[];
  readonly manifest: DeploymentManifest;
}): Parsed<StoreSnapshot> {
  const models = new Map<string, Map<string, VersionMetadata>>();
  for (const version of parts.versions) {
    const versions = models.get(version.name) ?? new Map<string, VersionMetadata>();
    models.set(version.name, versions.set(version.version, version));
  }
  for (const deployment of parts.manifest.deployments.values()) {
    const problem = deploymentProblem(deployment, models.get(deployment.model));
    if (problem !== undefined) return { ok: false, message: problem };
  }
  const { manifest, revision } = parts;
  return { ok: true, value: { revision, models, deployments: manifest.deployments, manifest } };
}

function deploymentProblem(
  deployment: Deployment,
  versions: ReadonlyMap<string, VersionMetadata> | undefined,
): string | undefined {
  const { model, version, sha256, previousVersion, previousSha256 } = deployment;
  const live = versions?.get(version);
  if (live === undefined) return `${model} ${version} is deployed but was never published`;
  if (!mayBeDeployed(live.stage)) return `${model} ${version} is deployed but archived`;
  if (live.artifact.sha256 !== sha256)
    return `${model} ${version} is deployed with other bytes than published`;
  if (previousVersion === undefined) return undefined;
  const previous = versions?.get(previousVersion);
  if (previous === undefined)
    return `${model} ${previousVersion} is kept for rollback but was never published`;
  if (previous.artifact.sha256 !== previousSha256) {
    return `${model} ${previousVersion} is kept for rollback with other bytes than published`;
  }
  return undefined;
}
