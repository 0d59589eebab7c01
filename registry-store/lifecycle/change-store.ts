/**
 * One change of a store, from lock to timestamp: verify what is there, build the next state, verify that as a reader
 * would, write it, and let it go live with the last rename. Whatever happens before that rename, readers see the old state.
 *
 * Order on disk: the role that lists new files, the files, snapshot, timestamp. Readers follow the timestamp, so for them
 * the order of the rest is the same; but a crash in between leaves only files that some signature vouches for.
 */
import { join } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { recallState, rememberState } from '../storage/accepted-state.ts';
import { writeDurably } from '../storage/durable-file.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { type LoadedStore, loadStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import { floorOf } from '../storage/metadata-chain.ts';
import { OverlaySource } from '../storage/overlay-source.ts';
import { benchFolder, metadataFile, targetFile, timestampFile } from '../trust/store-file.ts';
import { pinnedRootFile } from './key-folder.ts';
import { buildNextFiles } from './next-metadata.ts';
import { takeLock } from './publisher-lock.ts';
import type { StoreChange } from './store-change.ts';
import { tidyFolder } from './tidy-folder.ts';

export interface PublisherOptions {
  readonly folder: string;
  /** Holds the signing keys, the pinned root and what this publisher accepted before. */
  readonly keysFolder: string;
  /** Time of the change, milliseconds since 1970. Signed as creation time and start of every lifetime. */
  readonly nowMs: number;
  /** How long to wait for another publisher, milliseconds. Default 30 s. */
  readonly lockWaitMs?: number;
}

const lockWaitMsDefault = 30_000;

export function publisherStateFolder(keysFolder: string): string {
  return join(keysFolder, 'state');
}

/**
 * Runs `decide` on the verified state under the lock and puts its change in force; undefined changes nothing.
 * Resolves with the state in force afterwards. Rejects with a StoreError, and then nothing went live.
 */
export async function changeStore(
  options: PublisherOptions,
  decide: (current: LoadedStore) => StoreChange | undefined,
): Promise<LoadedStore> {
  const source = new FolderSource(options.folder);
  await requireStore(source);
  try {
    const lock = await takeLock(options.folder, options.lockWaitMs ?? lockWaitMsDefault);
    try {
      return await changeUnderLock(options, { source, decide, assertHeld: () => lock.assertHeld() });
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw asStoreError(error, options.folder);
  }
}

async function changeUnderLock(
  options: PublisherOptions,
  work: {
    readonly source: FolderSource;
    readonly decide: (current: LoadedStore) => StoreChange | undefined;
    readonly assertHeld: () => Promise<void>;
  },
): Promise<LoadedStore> {
  const { folder, keysFolder } = options;
  const { source } = work;
  const stateFolder = publisherStateFolder(keysFolder);
  const pinnedRoot = await readPinnedRoot(pinnedRootFile(keysFolder));
  const accepted = await recallState(stateFolder, pinnedRoot);
  const nowMs = Math.max(options.nowMs, accepted.latestMs);
  const current = await loadStore({ source, pinnedRoot, accepted, nowMs });
  const change = work.decide(current);
  if (change === undefined) return current;
  await tidyFolder(source, current.metadata);

  const metadataFiles = await buildNextFiles(current.metadata, { change, keysFolder, nowMs });
  const newFiles = new Map(change.put.map(({ target, bytes }) => [targetFile(target), bytes]));
  const overlay = new OverlaySource(new Map([...metadataFiles, ...newFiles]), source);
  // What a reader would refuse is never written.
  const next = await loadStore({ source: overlay, pinnedRoot, accepted, nowMs });

  const write = async (path: string, bytes: Uint8Array): Promise<void> => {
    await writeDurably(join(folder, path), bytes, { via: join(folder, benchFolder) });
  };
  const snapshotFile = metadataFile('snapshot', next.metadata.roles.get('snapshot')?.version ?? 0);
  const last = new Set([snapshotFile, timestampFile]);
  for (const [path, bytes] of metadataFiles) if (!last.has(path)) await write(path, bytes);
  for (const [path, bytes] of newFiles) await write(path, bytes);
  await write(snapshotFile, required(metadataFiles, snapshotFile));
  await work.assertHeld();
  await write(timestampFile, required(metadataFiles, timestampFile));

  const { files, roles } = next.metadata;
  await rememberState(stateFolder, { files, floor: floorOf(roles), pinnedRoot, nowMs });
  await tidyFolder(source, next.metadata);
  return next;
}

function required(files: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new Error(`${path} was not built`);
  return bytes;
}

/** Trouble of the system becomes a coded error; a fault of this program stays what it is. */
export function asStoreError(error: unknown, folder: string): unknown {
  const code = systemCode(error);
  if (error instanceof StoreError || code === undefined) return error;
  return new StoreError('FILE_UNREADABLE', `${folder} cannot be changed (${code}).`, { cause: error });
}
