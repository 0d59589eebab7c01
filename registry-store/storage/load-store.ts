/**
 * One complete look at a folder: verified metadata and the snapshot made of it. A publisher may be at work meanwhile,
 * so a look that fails counts only if the folder held still while it was taken.
 */
import { readFile } from 'node:fs/promises';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError, isStoreError, refusal, systemCode } from '../store-error.ts';
import { metadataBytesMax, timestampFile } from '../trust/store-file.ts';
import type { AcceptedState } from './accepted-state.ts';
import { auditFolder } from './folder-audit.ts';
import type { FolderSource } from './folder-source.ts';
import { type ChainOptions, verifyMetadata } from './metadata-chain.ts';
import { readSnapshot } from './read-snapshot.ts';
import type { StoreSource } from './store-source.ts';
import type { VerifiedMetadata } from './verified-metadata.ts';

export interface LoadOptions<Source extends StoreSource = StoreSource> {
  readonly source: Source;
  readonly pinnedRoot: Uint8Array;
  readonly accepted: AcceptedState;
  readonly nowMs: number;
  /** What was verified last, in this process and from the same pinned root: what did not change stays the same objects. */
  readonly known?: LoadedStore | undefined;
  /** See ChainOptions. */
  readonly expired?: ChainOptions['expired'];
}

export interface LoadedStore {
  readonly metadata: VerifiedMetadata;
  readonly snapshot: StoreSnapshot;
}

/** A publisher that is faster than the reader this many times in a row is not publishing but trying something. */
const attemptsMax = 8;

/** The state in force. Files that are not part of it are not looked at. */
export function loadStore(options: LoadOptions): Promise<LoadedStore> {
  const stamp = async (): Promise<string> => {
    const timestamp = await options.source.read(timestampFile, metadataBytesMax.timestamp);
    return Buffer.from(timestamp ?? []).toString('latin1');
  };
  return whileStill(stamp, () => load(options));
}

/** The same, and every single file in the folder verifies. Reads all of it: about a second per 500 MB. */
export function loadAndAuditStore(options: LoadOptions<FolderSource>): Promise<LoadedStore> {
  const { source, pinnedRoot } = options;
  const stamp = async (): Promise<string> => {
    const timestamp = await source.read(timestampFile, metadataBytesMax.timestamp);
    return [Buffer.from(timestamp ?? []).toString('latin1'), ...(await source.list())].join('\n');
  };
  return whileStill(stamp, async () => {
    const loaded = await load(options);
    await auditFolder(source, { metadata: loaded.metadata, pinnedRoot });
    return loaded;
  });
}

export async function readPinnedRoot(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = systemCode(error) ?? 'unknown';
    throw refusal(
      'pinned-root',
      `The root of trust ${path} cannot be read (${reason}). It is made by tidegate init and carried to every node.`,
      error,
    );
  }
}

/** A folder without a store is not a store that fails to verify. */
export async function requireStore(source: FolderSource): Promise<void> {
  if (looksLikeAddress(source.folder)) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      `${source.folder} is an address; give the folder of the store here.`,
    );
  }
  if (await source.exists()) return;
  throw new StoreError(
    'STORE_MISSING',
    `There is no store at ${source.folder}. Create one with "tidegate init".`,
  );
}

/** `ftp://x` is nobody's folder. */
export function looksLikeAddress(source: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(source);
}

async function load(options: LoadOptions): Promise<LoadedStore> {
  const { source, pinnedRoot, accepted } = options;
  const nowMs = Math.max(options.nowMs, accepted.latestMs);
  const metadata = await verifyMetadata({
    source,
    pinnedRoot,
    nowMs,
    floor: accepted.floor,
    before: accepted.before,
    known: options.known?.metadata,
    ...(options.expired === undefined ? {} : { expired: options.expired }),
  });
  return { metadata, snapshot: await readSnapshot(source, metadata, options.known?.snapshot) };
}

async function whileStill<Value>(stamp: () => Promise<string>, look: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    const before = await stamp();
    try {
      return await look();
    } catch (error) {
      if (!isStoreError(error) || attempt >= attemptsMax || (await stamp()) === before) throw error;
    }
  }
}
