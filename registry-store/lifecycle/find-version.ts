/** Looks models, versions and deployments up by name, and says what there is when there is no such thing. */
import type { Deployment } from '../manifest/deployment.ts';
import { modelTargetPath } from '../manifest/names.ts';
import { type Stage, mayBeDeployed } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { type VersionMetadata, parseVersionMetadata } from '../manifest/version-metadata.ts';
import type { LoadedStore } from '../storage/load-store.ts';
import { StoreError } from '../store-error.ts';

export interface VersionId {
  readonly model: string;
  readonly version: string;
}

/** Codes: UNKNOWN_MODEL, UNKNOWN_VERSION. */
export function findVersion(snapshot: StoreSnapshot, { model, version }: VersionId): VersionMetadata {
  const versions = findModel(snapshot, model);
  const found = versions.get(version);
  if (found !== undefined) return found;
  throw new StoreError(
    'UNKNOWN_VERSION',
    `${model} has no version ${JSON.stringify(version)}. ${known(versions)}`,
  );
}

/** Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE. */
export function findDeployable(snapshot: StoreSnapshot, id: VersionId): VersionMetadata {
  const found = findVersion(snapshot, id);
  if (mayBeDeployed(found.stage)) return found;
  const state = found.stage === 'archived' ? 'archived' : 'still in training';
  throw new StoreError(
    'NOT_DEPLOYABLE',
    `${id.model} ${id.version} is ${state}. Move it to staged first, or deploy another version.`,
  );
}

/** Codes: UNKNOWN_MODEL, NOT_DEPLOYED. */
export function findDeployment(snapshot: StoreSnapshot, model: string): Deployment {
  const found = snapshot.deployments.get(model);
  if (found !== undefined) return found;
  findModel(snapshot, model);
  throw new StoreError('NOT_DEPLOYED', `No version of ${model} is live. Deploy one first.`);
}

/** The stage the version was published in, whatever became of it since. */
export function entryStageOf({ metadata }: LoadedStore, id: VersionId): Stage | undefined {
  const target = metadata.targets.get(modelTargetPath(id));
  if (target === undefined) return undefined;
  const { path, sizeBytes, sha256, custom } = target;
  const parsed = parseVersionMetadata({ path, lengthBytes: sizeBytes, sha256 }, custom);
  return parsed.ok ? parsed.value.stage : undefined;
}

export function findModel(snapshot: StoreSnapshot, model: string): ReadonlyMap<string, VersionMetadata> {
  const versions = snapshot.models.get(model);
  if (versions !== undefined) return versions;
  throw new StoreError(
    'UNKNOWN_MODEL',
    `The store has no model ${JSON.stringify(model)}. ${known(snapshot.models)}`,
  );
}

/** A message stays one that can be read. */
const listedMax = 20;

function known(names: ReadonlyMap<string, unknown>): string {
  // Of versions those that were published last are more likely to be meant.
  const listed = [...names.keys()].slice(-listedMax);
  if (listed.length === 0) return 'Publish one first.';
  const more = names.size - listed.length;
  return `It has: ${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}
