/**
 * A folder or an address as everything that depends on which of the two it is: where metadata is read, where models
 * come from, how the first look is taken, and how changes are noticed. Above this nobody asks again.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { metadataBytesMax, timestampFile } from '../trust/store-file.ts';
import { ArtifactCache } from './artifact-cache.ts';
import { type ArtifactShelf, CachedShelf, type DownloadProgress, FolderShelf } from './artifact-shelf.ts';
import { FolderSource } from './folder-source.ts';
import { FolderWatch } from './folder-watch.ts';
import {
  type LoadOptions,
  type LoadedStore,
  loadAndAuditStore,
  looksLikeAddress,
  readPinnedRoot,
  requireStore,
} from './load-store.ts';
import { type LookOutcome, PollWatch } from './poll-watch.ts';
import type { StoreSource } from './store-source.ts';
import type { TransferLimits } from './transfer-limits.ts';

export interface OriginOptions {
  /** A folder, or an address that begins with http:// or https://. */
  readonly source: string;
  readonly stateFolder: string;
  readonly cacheFolder?: string | undefined;
  readonly cacheBytesMax?: number | undefined;
  readonly caFile?: string | undefined;
  readonly pollMs?: number | undefined;
  readonly transferLimits?: Partial<TransferLimits> | undefined;
  readonly progress: (progress: DownloadProgress) => void;
}

export interface StoreOrigin {
  readonly source: StoreSource;
  readonly shelf: ArtifactShelf;
  /** How long the same refused state is left alone at first and at most, milliseconds. */
  readonly refusedWaitMs: { readonly first: number; readonly max: number };
  /** Rejects with STORE_MISSING where there is no store at all. */
  requireStore(): Promise<void>;
  /** Verifies more than what is in force, where that is at hand; undefined where it is not. */
  readonly audit?: (options: Omit<LoadOptions, 'source'>) => Promise<LoadedStore>;
  /** From now on `look` is called whenever there may be something new. `isWell`: the look at opening succeeded. */
  watch(look: () => Promise<LookOutcome>, isWell: boolean): Promise<void>;
  close(): void;
}

const folderPollMsDefault = 1000;
const httpPollMsDefault = 10_000;
export const cacheBytesMaxDefault: number = 10 * 1024 ** 3;
/** A model that fails its digest is read whole at every look, so the looks become rare. */
const refusedWaitMsMax = 10_000;

export function isAddress(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

export function openOrigin(options: OriginOptions): Promise<StoreOrigin> {
  const { source } = options;
  if (isAddress(source)) return openAddress(options);
  if (!looksLikeAddress(source)) return Promise.resolve(openFolder(options));
  const message = `${source} is no store: it is a folder, or an address that begins with https:// or http://.`;
  return Promise.reject(new StoreError('INVALID_ARGUMENT', message));
}

function openFolder(options: OriginOptions): StoreOrigin {
  const { source: folder, pollMs = folderPollMsDefault } = options;
  const source = new FolderSource(folder);
  let watch: FolderWatch | undefined;
  return {
    source,
    shelf: new FolderShelf(source),
    refusedWaitMs: { first: pollMs, max: refusedWaitMsMax },
    requireStore: () => requireStore(source),
    audit: (load) => loadAndAuditStore({ ...load, source }),
    watch: async (look) => {
      watch = new FolderWatch({ folder, pollMs, ring: () => void look() });
      await watch.start();
      // Something may have been published since the store was verified.
      void look();
    },
    close: () => watch?.close(),
  };
}

async function openAddress(options: OriginOptions): Promise<StoreOrigin> {
  const { pollMs = httpPollMsDefault, caFile } = options;
  const ca = caFile === undefined ? {} : { ca: await readAuthorities(caFile) };
  // Node's HTTP is a tenth of a second of reading, which a folder does without.
  const { HttpSource } = await import('./http-source.ts');
  const source = new HttpSource({ address: options.source, ...ca, limits: options.transferLimits ?? {} });
  const cacheFolder = options.cacheFolder ?? join(options.stateFolder, 'cache');
  const cache = await ArtifactCache.open(cacheFolder, options.cacheBytesMax ?? cacheBytesMaxDefault);
  let watch: PollWatch | undefined;
  return {
    source,
    shelf: new CachedShelf({ source, cache, progress: options.progress }),
    // The watch itself backs off.
    refusedWaitMs: { first: 0, max: 0 },
    requireStore: async () => {
      if ((await source.read(timestampFile, metadataBytesMax.timestamp)) !== undefined) return;
      throw new StoreError(
        'STORE_MISSING',
        `There is no store at ${source.address}: it has no ${timestampFile}.`,
      );
    },
    watch: (look, isWell) => {
      watch = new PollWatch({ pollMs, look });
      watch.start(isWell);
      return Promise.resolve();
    },
    close: () => {
      watch?.close();
      source.close();
    },
  };
}

async function readAuthorities(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    const code = systemCode(error) ?? 'unknown';
    throw new StoreError('FILE_UNREADABLE', `The certificates in ${path} cannot be read (${code}).`, {
      cause: error,
    });
  }
  throw new StoreError('INVALID_ARGUMENT', `${path} has no certificate in PEM form.`);
}

/** Without a root of trust nothing can be read; that there is no store either is the better thing to say first. */
export async function findPinnedRoot(path: string, origin: StoreOrigin): Promise<Uint8Array> {
  try {
    return await readPinnedRoot(path);
  } catch (error) {
    await origin.requireStore();
    throw error;
  }
}
