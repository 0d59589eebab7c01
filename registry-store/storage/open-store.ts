/**
 * The store as a serving node sees it: open it from a pinned root, look at the current snapshot, hear of the next one.
 * It holds no key and writes only to its own state folder.
 *
 * Invariants: `current` is always wholly verified; a change that does not verify leaves it as it was and is reported
 * once; never more than one refresh runs, and a notice during a refresh leads to another one after it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import type { VersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError, accept, isStoreError, refusal, systemCode } from '../store-error.ts';
import { ArtifactDigest } from '../trust/artifact-digest.ts';
import { targetFile, timestampFile } from '../trust/store-file.ts';
import { type AcceptedState, recallState, rememberState } from './accepted-state.ts';
import { auditTarget } from './folder-audit.ts';
import { FolderSource } from './folder-source.ts';
import { FolderWatch } from './folder-watch.ts';
import {
  type LoadedStore,
  loadAndAuditStore,
  loadStore,
  readPinnedRoot,
  requireStore,
} from './load-store.ts';
import { metadataBytesMax } from './metadata-chain.ts';

export interface StoreOptions {
  readonly folder: string;
  /** The root of trust that was carried to this node; the one in the store is never taken for it. */
  readonly pinnedRootPath: string;
  /** Folder of this node alone, where it remembers what it accepted. Made if need be. */
  readonly stateFolder: string;
  /** How often the folder is looked at when the system gives no notice, milliseconds. Default 1000. */
  readonly pollMs?: number;
  /** How often everything is verified anew though nothing changed, so that an expiry is noticed, milliseconds. Default 5 min. */
  readonly reverifyMs?: number;
  /** Default `Date.now`. */
  readonly nowMs?: () => number;
}

export type StoreEvent =
  | { readonly kind: 'snapshot'; readonly snapshot: StoreSnapshot }
  | { readonly kind: 'refused'; readonly error: StoreError };

export interface VerifiedStore {
  /** The last good state. Replaced as a whole, never changed. */
  readonly current: StoreSnapshot;
  /** Listeners are called in the order of subscription, after `current` was replaced. Returns the way to unsubscribe. */
  subscribe(listener: (event: StoreEvent) => void): () => void;
  /** The file of a version; length and digest were checked over the very bytes returned, which the caller owns. */
  readArtifact(version: VersionMetadata): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The state that does not verify, while the last good one serves. */
interface RefusedState {
  /** Said once and not at every look. */
  readonly message: string;
  readonly timestamp: Uint8Array | undefined;
  /** The same state is looked at again after this long, longer each time: a file that was missing may come. */
  readonly waitMs: number;
  readonly atMs: number;
}

const pollMsDefault = 1000;
/** A model that fails its digest is read whole at every look, so the looks become rare. */
const refusedWaitMsMax = 10_000;
const reverifyMsDefault = 5 * 60_000;

/** Verifies every file of the store. Rejects with a StoreError that names the check that failed. */
export async function openStore(options: StoreOptions): Promise<VerifiedStore> {
  const nowMs = options.nowMs ?? Date.now;
  const source = new FolderSource(options.folder);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const recalled = await recallState(options.stateFolder, pinnedRoot);
  const now = nowMs();
  const loaded = await loadAndAuditStore({ source, pinnedRoot, accepted: recalled, nowMs: now });
  const { metadata } = loaded;
  const accepted = await rememberState(options.stateFolder, {
    metadata,
    pinnedRoot,
    nowMs: Math.max(now, recalled.latestMs),
  });
  const store = new FolderStore({ options, source, pinnedRoot, nowMs, loaded, accepted });
  await store.start();
  return store;
}

interface FolderStoreParts {
  readonly options: StoreOptions;
  readonly source: FolderSource;
  readonly pinnedRoot: Uint8Array;
  readonly nowMs: () => number;
  readonly loaded: LoadedStore;
  readonly accepted: AcceptedState;
}

class FolderStore implements VerifiedStore {
  readonly #parts: FolderStoreParts;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #watch: FolderWatch;
  #loaded: LoadedStore;
  #accepted: AcceptedState;
  #verifiedAtMs: number;
  #refreshing: Promise<void> | undefined;
  #rungWhileRefreshing = false;
  #refused: RefusedState | undefined;
  #closed = false;

  constructor(parts: FolderStoreParts) {
    this.#parts = parts;
    this.#loaded = parts.loaded;
    this.#accepted = parts.accepted;
    this.#verifiedAtMs = parts.nowMs();
    this.#watch = new FolderWatch({
      folder: parts.options.folder,
      pollMs: parts.options.pollMs ?? pollMsDefault,
      ring: () => {
        void this.#refresh();
      },
    });
  }

  get current(): StoreSnapshot {
    return this.#loaded.snapshot;
  }

  /** Begins to watch, and looks once: something may have been published since the store was verified. */
  async start(): Promise<void> {
    await this.#watch.start();
    void this.#refresh();
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async readArtifact(version: VersionMetadata): Promise<Uint8Array> {
    if (this.#closed)
      throw new StoreError('STORE_CLOSED', 'The store was closed; open it again to read from it.');
    const { sha256, lengthBytes } = version.artifact;
    const path = targetFile(version.artifact);
    const digest = new ArtifactDigest({ path, sha256, sizeBytes: lengthBytes });
    const bytes = new Uint8Array(lengthBytes);
    let filled = 0;
    // Piece by piece, so that hashing a large model does not hold up requests.
    for await (const piece of this.#parts.source.stream(path)) {
      if (filled + piece.byteLength > lengthBytes)
        throw refusal('file-size', `${path} is longer than was signed.`);
      bytes.set(piece, filled);
      digest.add(bytes.subarray(filled, filled + piece.byteLength));
      filled += piece.byteLength;
    }
    accept(digest.finish());
    return bytes;
  }

  /** Looks at the folder; resolves when it has been quiet for one look. */
  #refresh(): Promise<void> {
    this.#rungWhileRefreshing = true;
    this.#refreshing ??= this.#refreshWhileRung().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch.close();
    this.#listeners.clear();
    await this.#refreshing;
  }

  async #refreshWhileRung(): Promise<void> {
    while (this.#rungWhileRefreshing && !this.#closed) {
      // One publish rings several times; what rang in this turn is one look.
      await nextTurn();
      this.#rungWhileRefreshing = false;
      await this.#refreshOnce();
    }
  }

  async #refreshOnce(): Promise<void> {
    try {
      if (!(await this.#isWorthALook())) return;
      await this.#accept(await this.#loadNext());
      this.#refused = undefined;
    } catch (error) {
      await this.#report(isStoreError(error) ? error : unexpected(error));
    }
  }

  /** One small read decides: only a timestamp that is new, or time that has passed, is a reason to read more. */
  async #isWorthALook(): Promise<boolean> {
    const { source, nowMs, options } = this.#parts;
    const timestamp = await source.read(timestampFile, metadataBytesMax.timestamp);
    const refused = this.#refused;
    if (refused !== undefined) {
      return !isSame(timestamp, refused.timestamp) || performance.now() - refused.atMs >= refused.waitMs;
    }
    if (nowMs() - this.#verifiedAtMs >= (options.reverifyMs ?? reverifyMsDefault)) return true;
    return !isSame(timestamp, this.#loaded.metadata.files.get(timestampFile));
  }

  async #loadNext(): Promise<LoadedStore> {
    const { source, pinnedRoot, nowMs } = this.#parts;
    const next = await loadStore({ source, pinnedRoot, accepted: this.#accepted, nowMs: nowMs() });
    // Files that were there before are checked again when they are read; new ones must be whole before they count.
    for (const target of next.metadata.targets.values()) {
      const known = this.#loaded.metadata.targets.get(target.path);
      if (known?.sha256 !== target.sha256) await auditTarget(source, target);
    }
    return next;
  }

  async #accept(next: LoadedStore): Promise<void> {
    const { options, pinnedRoot, nowMs } = this.#parts;
    const now = nowMs();
    this.#verifiedAtMs = now;
    const known = this.#loaded.metadata.files.get(timestampFile);
    if (isSame(known, next.metadata.files.get(timestampFile))) return;
    this.#accepted = await rememberState(options.stateFolder, {
      metadata: next.metadata,
      pinnedRoot,
      nowMs: Math.max(now, this.#accepted.latestMs),
    });
    if (this.#closed) return;
    this.#loaded = next;
    this.#emit({ kind: 'snapshot', snapshot: next.snapshot });
  }

  async #report(error: StoreError): Promise<void> {
    const { source, options } = this.#parts;
    const before = this.#refused;
    const timestamp = await source.read(timestampFile, metadataBytesMax.timestamp).catch(() => undefined);
    const firstWaitMs = options.pollMs ?? pollMsDefault;
    const waitMs =
      before !== undefined && isSame(before.timestamp, timestamp)
        ? Math.min(2 * before.waitMs, refusedWaitMsMax)
        : firstWaitMs;
    this.#refused = { message: error.message, timestamp, waitMs, atMs: performance.now() };
    if (before?.message !== error.message && !this.#closed) this.#emit({ kind: 'refused', error });
  }

  #emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

function unexpected(error: unknown): StoreError {
  return new StoreError(
    'FILE_UNREADABLE',
    `The store cannot be read (${systemCode(error) ?? String(error)}).`,
    {
      cause: error,
    },
  );
}
