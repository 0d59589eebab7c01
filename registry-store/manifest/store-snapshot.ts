/**
 * The whole content of a store at one moment, as the gateway sees it: every model, every version, what is live.
 * It is built from verified metadata only and replaced as a whole; nothing in it ever changes.
 */
import { type DeployedPin, deployedPins } from './deployed-pins.ts';
import type { Deployment, DeploymentManifest } from './deployment-manifest.ts';
import type { Parsed } from './field-reader.ts';
import { type Stage, mayBeDeployed } from './stage.ts';
import type { VersionMetadata } from './version-metadata.ts';

type Versions = ReadonlyMap<string, VersionMetadata>;

export interface StoreSnapshot {
  /** Counts the changes of the store, published version and deployment alike: 1 is the new store. */
  readonly revision: number;
  /** Model name, then version. */
  readonly models: ReadonlyMap<string, Versions>;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly manifest: DeploymentManifest;
}

/**
 * Joins versions, as they were published, with what the manifest says of them; refuses a deployment of what is not
 * there, is not in a stage to be deployed or has other bytes. Models of which nothing changed since `before` stay the
 * same objects.
 */
export function joinSnapshot(parts: {
  readonly versions: readonly VersionMetadata[];
  readonly manifest: DeploymentManifest;
  readonly before?: StoreSnapshot | undefined;
  /** Revision of the last change of keys, which neither a version nor the manifest tells of. */
  readonly keysRevision?: number;
}): Parsed<StoreSnapshot> {
  const { manifest, before } = parts;
  const models = new Map<string, Versions>();
  let revision = Math.max(manifest.revision, parts.keysRevision ?? 0);
  for (const [model, versions] of groupByModel(parts)) {
    const known = before?.models.get(model);
    models.set(model, known !== undefined && isSame(known, versions) ? known : versions);
  }
  for (const { published } of parts.versions) revision = Math.max(revision, published.revision);
  const problem = stagesProblem(manifest, models) ?? deploymentsProblem(manifest, models);
  if (problem !== undefined) return { ok: false, message: problem };
  return { ok: true, value: { revision, models, deployments: manifest.deployments, manifest } };
}

function groupByModel(parts: {
  readonly versions: readonly VersionMetadata[];
  readonly manifest: DeploymentManifest;
}): ReadonlyMap<string, Versions> {
  const models = new Map<string, Map<string, VersionMetadata>>();
  for (const version of parts.versions) {
    const stage = parts.manifest.stages.get(version.name)?.get(version.version);
    const group = models.get(version.name) ?? new Map<string, VersionMetadata>();
    models.set(version.name, group.set(version.version, inStage(version, stage)));
  }
  return models;
}

/** The same version in another stage, once for each, so that identity tells whether anything changed. */
const moved = new WeakMap<VersionMetadata, Map<Stage, VersionMetadata>>();

function inStage(version: VersionMetadata, stage: Stage | undefined): VersionMetadata {
  if (stage === undefined || stage === version.stage) return version;
  const copies = moved.get(version) ?? new Map<Stage, VersionMetadata>();
  const copy = copies.get(stage) ?? { ...version, stage };
  moved.set(version, copies.set(stage, copy));
  return copy;
}

function isSame(one: Versions, other: Versions): boolean {
  return one.size === other.size && [...other].every(([name, version]) => one.get(name) === version);
}

function stagesProblem(manifest: DeploymentManifest, models: StoreSnapshot['models']): string | undefined {
  for (const [model, stages] of manifest.stages) {
    for (const version of stages.keys()) {
      if (models.get(model)?.has(version) !== true) {
        return `${model} ${version} has a stage but was never published`;
      }
    }
  }
  return undefined;
}

function deploymentsProblem(
  manifest: DeploymentManifest,
  models: StoreSnapshot['models'],
): string | undefined {
  for (const deployment of manifest.deployments.values()) {
    for (const pin of deployedPins(deployment)) {
      const problem = pinProblem(pin, models.get(pin.model)?.get(pin.version));
      if (problem === undefined) continue;
      const where =
        pin.pipelineOf === undefined ? '' : `, in the pipeline of ${deployment.model} ${pin.pipelineOf}`;
      return `${pin.model} ${pin.version} is ${problem}${where}`;
    }
  }
  return undefined;
}

/** As the end of a sentence. */
function pinProblem({ use, sha256 }: DeployedPin, found: VersionMetadata | undefined): string | undefined {
  const used = use === 'previous' ? 'kept for rollback' : 'deployed';
  if (found === undefined) return `${used} but was never published`;
  if (use !== 'previous' && !mayBeDeployed(found.stage)) {
    return `${used} but ${found.stage === 'archived' ? 'archived' : 'still in training'}`;
  }
  return found.artifact.sha256 === sha256 ? undefined : `${used} with other bytes than published`;
}
