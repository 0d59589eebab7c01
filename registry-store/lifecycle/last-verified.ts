/**
 * What this process verified last. A publisher that makes one change after another verifies each role once, not with
 * every change, and looks at nothing again when nobody else was there meanwhile.
 */
import type { FolderSource } from '../storage/folder-source.ts';
import type { LoadedStore } from '../storage/load-store.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { metadataBytesMax, metadataFile, timestampFile } from '../trust/store-file.ts';

/** One state only: a process that works on many stores in turn would keep them all alive. */
let lastVerified: { readonly of: string; readonly state: LoadedStore } | undefined;

export function recallVerified(folder: string, pinnedRoot: Uint8Array): LoadedStore | undefined {
  return lastVerified?.of === identityOf(folder, pinnedRoot) ? lastVerified.state : undefined;
}

export function rememberVerified(folder: string, pinnedRoot: Uint8Array, state: LoadedStore): void {
  lastVerified = { of: identityOf(folder, pinnedRoot), state };
}

function identityOf(folder: string, pinnedRoot: Uint8Array): string {
  return `${sha256Of(pinnedRoot)} ${folder}`;
}

/** The very state that this process verified: the timestamp pins everything below it, and there is no newer root. */
export async function isInForce(source: FolderSource, { metadata }: LoadedStore): Promise<boolean> {
  const timestamp = await source.read(timestampFile, metadataBytesMax.timestamp);
  const known = metadata.files.get(timestampFile);
  if (timestamp === undefined || known === undefined || Buffer.compare(timestamp, known) !== 0) return false;
  const nextRoot = metadataFile('root', metadata.root.version + 1);
  return (await source.read(nextRoot, metadataBytesMax.root)) === undefined;
}
