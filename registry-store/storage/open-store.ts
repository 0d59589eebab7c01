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
import { StoreError, accept, isStoreError, refusal } from '../store-error.ts';
import { ArtifactDigest } from '../trust/artifact-digest.ts';
import { targetFile, timestampFile } from '../trust/store-file.ts';
import { type AcceptedState, recallState, rememberState } from './accepted-state.ts';
import { FolderSource } from './folder-source.ts';
import { FolderWatch } from './folder-watch.ts';
import { readPinnedRoot, requireStore } from './load-store.ts';
import { type Look, type LookOrder, look, lookInThread, unexpected } from './look.ts';
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
  /** The compiled look-thread. Default the one beside this module when it is compiled, otherwise no thread. */
  readonly threadFile?: URL;
  /** Default `Date.now`. */
  readonly nowMs?: () => number;
}

export type StoreEvent =
  | { readonly kind: 'snapshot'; readonly snapshot: StoreSnapshot }
  | { readonly kind: 'refused'; readonly error: StoreError };

export interface VerifiedStore {
  /** The last good state. Replaced as a whole, never changed. */
  readonly current: StoreSnapshot;
  /** Listeners are called in the order of subscription, after `current` was replaced; they must not throw. */
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
  const { folder, stateFolder } = options;
  const source = new FolderSource(folder);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const recalled = await recallState(stateFolder, pinnedRoot);
  const nowMs = Math.max((options.nowMs ?? Date.now)(), recalled.latestMs);
  const threadFile = options.threadFile ?? compiledThread;
  const lookAt = (order: LookOrder): Promise<Look> =>
    threadFile === undefined ? look(order) : lookInThread(order, threadFile);
  const first = await lookAt({ folder, pinnedRoot, accepted: recalled, nowMs, models: 'all' });
  const accepted = await rememberState(stateFolder, { ...first, pinnedRoot, nowMs });
  const store = new FolderStore({ options, source, pinnedRoot, lookAt, first, accepted });
  await store.start();
  return store;
}

/** Beside this file when it is compiled. The sources have no thread to run, so there the look is taken right here. */
const compiledThread = import.meta.url.endsWith('.js')
  ? new URL('./look-thread.js', import.meta.url)
  : undefined;

interface FolderStoreParts {
  readonly options: StoreOptions;
  readonly source: FolderSource;
  readonly pinnedRoot: Uint8Array;
  readonly lookAt: (order: LookOrder) => Promise<Look>;
  readonly first: Look;
  readonly accepted: AcceptedState;
}

class FolderStore implements VerifiedStore {
  readonly #parts: FolderStoreParts;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  readonly #watch: FolderWatch;
  #current: Look;
  #accepted: AcceptedState;
  #verifiedAtMs: number;
  #refreshing: Promise<void> | undefined;
  #rungWhileRefreshing = false;
  #refused: RefusedState | undefined;
  /** The timestamp file at the start of the look that runs. */
  #seen: Uint8Array | undefined;
  #closed = false;

  constructor(parts: FolderStoreParts) {
    this.#parts = parts;
    this.#current = parts.first;
    this.#accepted = parts.accepted;
    this.#verifiedAtMs = this.#nowMs();
    this.#watch = new FolderWatch({
      folder: parts.options.folder,
      pollMs: parts.options.pollMs ?? pollMsDefault,
      ring: () => {
        void this.#refresh();
      },
    });
  }

  get current(): StoreSnapshot {
    return this.#current.snapshot;
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
      await this.#accept(await this.#lookNow());
      this.#refused = undefined;
    } catch (error) {
      this.#report(isStoreError(error) ? error : unexpected(error));
    }
  }

  /** One small read decides: only a timestamp that is new, or time that has passed, is a reason to read more. */
  async #isWorthALook(): Promise<boolean> {
    const { source, options } = this.#parts;
    this.#seen = undefined;
    this.#seen = await source.read(timestampFile, metadataBytesMax.timestamp);
    const refused = this.#refused;
    if (refused !== undefined) {
      return !isSame(this.#seen, refused.timestamp) || performance.now() - refused.atMs >= refused.waitMs;
    }
    if (this.#nowMs() - this.#verifiedAtMs >= (options.reverifyMs ?? reverifyMsDefault)) return true;
    return !isSame(this.#seen, this.#current.files.get(timestampFile));
  }

  #lookNow(): Promise<Look> {
    const { options, pinnedRoot, lookAt } = this.#parts;
    const except = new Set<string>();
    for (const versions of this.#current.snapshot.models.values()) {
      for (const { artifact } of versions.values()) except.add(targetFile(artifact));
    }
    const { folder } = options;
    return lookAt({ folder, pinnedRoot, accepted: this.#accepted, nowMs: this.#nowMs(), models: { except } });
  }

  async #accept(next: Look): Promise<void> {
    const { options, pinnedRoot } = this.#parts;
    this.#verifiedAtMs = this.#nowMs();
    if (isSame(this.#current.files.get(timestampFile), next.files.get(timestampFile))) return;
    const nowMs = Math.max(this.#verifiedAtMs, this.#accepted.latestMs);
    this.#accepted = await rememberState(options.stateFolder, { ...next, pinnedRoot, nowMs });
    if (this.#closed) return;
    this.#current = next;
    this.#emit({ kind: 'snapshot', snapshot: next.snapshot });
  }

  #nowMs(): number {
    return (this.#parts.options.nowMs ?? Date.now)();
  }

  #report(error: StoreError): void {
    const before = this.#refused;
    const timestamp = this.#seen;
    const firstWaitMs = this.#parts.options.pollMs ?? pollMsDefault;
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
