/**
 * Puts a published version live for all traffic of its model. The version that was live stays named as the previous one,
 * so that nodes keep it loaded and going back is deploying it again.
 */
import { deployVersion } from '../manifest/deployment-manifest.ts';
import { mayBeDeployed } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError } from '../store-error.ts';
import { type PublisherOptions, changeStore } from './change-store.ts';
import { manifestFile } from './manifest-file.ts';

export interface DeployOptions extends PublisherOptions {
  readonly model: string;
  readonly version: string;
  /** Who decides it, and why; both are signed into the manifest. */
  readonly actor: string;
  readonly why?: string;
}

export interface DeployResult {
  readonly snapshot: StoreSnapshot;
  /** False when the version was live already; then nothing was signed. */
  readonly changed: boolean;
}

/** Codes: UNKNOWN_MODEL, UNKNOWN_VERSION, NOT_DEPLOYABLE, INVALID_ARGUMENT, and those of `changeStore`. */
export async function deployModel(options: DeployOptions): Promise<DeployResult> {
  let changed = false;
  const { snapshot } = await changeStore(options, (current) => {
    const version = findDeployable(current.snapshot, options);
    if (current.snapshot.deployments.get(version.name)?.version === version.version) return undefined;
    changed = true;
    const manifest = deployVersion(
      current.snapshot.manifest,
      { model: version.name, version: version.version, sha256: version.artifact.sha256 },
      { at: new Date(options.nowMs).toISOString(), by: options.actor, why: options.why ?? '' },
    );
    return { role: 'deployments', put: [manifestFile(manifest)] };
  });
  return { snapshot, changed };
}

function findDeployable(snapshot: StoreSnapshot, { model, version }: DeployOptions): VersionMetadata {
  const versions = snapshot.models.get(model);
  if (versions === undefined) {
    throw new StoreError(
      'UNKNOWN_MODEL',
      `The store has no model ${JSON.stringify(model)}. ${known(snapshot.models)}`,
    );
  }
  const found = versions.get(version);
  if (found === undefined) {
    throw new StoreError(
      'UNKNOWN_VERSION',
      `${model} has no version ${JSON.stringify(version)}. ${known(versions)}`,
    );
  }
  if (mayBeDeployed(found.stage)) return found;
  throw new StoreError('NOT_DEPLOYABLE', `${model} ${version} is archived. Deploy another version.`);
}

function known(names: ReadonlyMap<string, unknown>): string {
  const listed = [...names.keys()].slice(-10);
  return listed.length === 0 ? 'Publish one first.' : `It has: ${listed.join(', ')}.`;
}
