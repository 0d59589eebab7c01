/** The model files without which a state cannot be served, and whether a store folder has them. */
import { deployedPins } from '../manifest/deployed-pins.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { refusal } from '../store-error.ts';
import type { SignedFile } from '../trust/artifact-digest.ts';
import { targetFile } from '../trust/store-file.ts';
import type { FolderSource } from './folder-source.ts';

type Needing = Pick<StoreSnapshot, 'models' | 'deployments'>;

/** What must be loaded to serve a state and to go back one step in it: live, previous and candidate versions, with their pipelines. */
export function neededFiles(state: Needing): ReadonlyMap<string, SignedFile> {
  const needed = new Map<string, SignedFile>();
  for (const deployment of state.deployments.values()) {
    for (const { model, version } of deployedPins(deployment)) {
      const artifact = state.models.get(model)?.get(version)?.artifact;
      if (artifact !== undefined) needed.set(artifact.sha256, signedFile(artifact));
    }
  }
  return needed;
}

export function signedFile(artifact: {
  readonly path: string;
  readonly sha256: string;
  readonly lengthBytes: number;
}): SignedFile {
  return { path: artifact.path, sha256: artifact.sha256, sizeBytes: artifact.lengthBytes };
}

/**
 * Rejects with STORE_REFUSED when one of them is gone or has another length. Nothing is read, so this costs little
 * enough to be asked for every state; what the bytes are is checked when they arrive and when they are loaded.
 */
export async function requireInPlace(source: FolderSource, state: Needing): Promise<void> {
  for (const file of neededFiles(state).values()) {
    const path = targetFile(file);
    const sizeBytes = await source.sizeOf(path);
    if (sizeBytes === file.sizeBytes) continue;
    const found =
      sizeBytes === undefined ? 'is missing' : `has ${sizeBytes} bytes in place of ${file.sizeBytes}`;
    throw refusal(
      sizeBytes === undefined ? 'file-present' : 'file-size',
      `${path} ${found}, and what is live, its candidate, or going back needs it. Put the file back from a copy of the store, or undeploy that version.`,
    );
  }
}
