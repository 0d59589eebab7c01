/**
 * A store under the publisher's lock: verify what is there, build the next state, verify that as a reader would, write
 * it, and let it go live with one rename. Whatever happens before that rename, readers see the old state.
 *
 * Order on disk: roles that list new files, the files, snapshot, timestamp. Readers follow the timestamp, so for them
 * the order of the rest is the same; but a crash in between leaves only files that some signature vouches for. A new
 * root is a step of its own, because readers follow it as soon as it is there.
 *
 * While files are being written a marker stands on the bench. Who finds it there knows that somebody was interrupted
 * and sweeps the folder before anything else, so a killed publisher costs the next one a moment and nobody else
 * anything.
 */
import { randomUUID } from 'node:crypto';
import { access, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { type AcceptedState, recallState, rememberState } from '../storage/accepted-state.ts';
import { flushFolder, writeDurably, writeFlushed } from '../storage/durable-file.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { type LoadedStore, loadStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import { OverlaySource } from '../storage/overlay-source.ts';
import { floorOf } from '../storage/verified-metadata.ts';
import {
  benchFolder,
  classifyStoreFile,
  metadataBytesMax,
  metadataFile,
  targetFile,
  timestampFile,
} from '../trust/store-file.ts';
import { createExclusively } from './exclusive-file.ts';
import { KeyFolderSigners, pinnedRootFile } from './key-folder.ts';
import { isInForce, recallVerified, rememberVerified } from './last-verified.ts';
import { type MetadataFiles, MetadataDraft, type SignOptions } from './metadata-draft.ts';
import { type PublisherLock, takeLock } from './publisher-lock.ts';
import { type PublisherOptions, homeFolder, publisherStateFolder } from './publisher-options.ts';
import type { SignerProvider } from './signer.ts';
import type { NewFile } from './store-change.ts';
import { retireSuperseded } from './retire-superseded.ts';
import { sweepFolder } from './sweep-folder.ts';
import { WriteProgress } from './write-progress.ts';

const lockWaitMsDefault = 30_000;

/** Runs `edit` under the lock. Throws a StoreError; what was not committed by then is gone. */
export async function editStore<Value>(
  options: PublisherOptions,
  edit: (editor: StoreEditor) => Promise<Value>,
): Promise<Value> {
  const { folder } = options;
  const source = new FolderSource(folder);
  await requireStore(source);
  try {
    const lock = await takeLock(folder, options.lockWaitMs ?? lockWaitMsDefault, options.signal);
    try {
      return await edit(await StoreEditor.open(options, { source, lock }));
    } finally {
      // Whatever was decided is decided; a lock that cannot be removed is noticed by whoever finds it.
      await lock.release().catch(() => undefined);
    }
  } catch (error) {
    throw asStoreError(error, folder);
  }
}

export class StoreEditor {
  readonly options: PublisherOptions;
  readonly source: FolderSource;
  readonly signers: SignerProvider;
  /** The later of the caller's time and what this publisher saw before. */
  readonly nowMs: number;
  readonly #lock: PublisherLock;
  readonly #pinnedRoot: Uint8Array;
  #accepted: AcceptedState;
  #current: LoadedStore;

  private constructor(
    options: PublisherOptions,
    parts: {
      readonly source: FolderSource;
      readonly lock: PublisherLock;
      readonly pinnedRoot: Uint8Array;
      readonly accepted: AcceptedState;
      readonly current: LoadedStore;
      readonly nowMs: number;
    },
  ) {
    this.options = options;
    this.source = parts.source;
    this.nowMs = parts.nowMs;
    this.signers = options.signers ?? new KeyFolderSigners(options);
    this.#lock = parts.lock;
    this.#pinnedRoot = parts.pinnedRoot;
    this.#accepted = parts.accepted;
    this.#current = parts.current;
  }

  static async open(
    options: PublisherOptions,
    { source, lock }: { readonly source: FolderSource; readonly lock: PublisherLock },
  ): Promise<StoreEditor> {
    const home = homeFolder(options);
    const pinnedRoot = await readPinnedRoot(pinnedRootFile(home));
    const accepted = await recallState(publisherStateFolder(home), pinnedRoot);
    const nowMs = Math.max(options.nowMs, accepted.latestMs);
    const known = recallVerified(source.folder, pinnedRoot);
    // Who signs anew may start from what has expired; what comes of it has to be fresh.
    const current =
      known !== undefined && (await isInForce(source, known))
        ? known
        : await loadStore({ source, pinnedRoot, accepted, nowMs, known, expired: 'tolerated' });
    const editor = new StoreEditor(options, { source, lock, pinnedRoot, accepted, current, nowMs });
    if (await editor.#isInterrupted()) await editor.#cleanUp();
    return editor;
  }

  /** The state in force. */
  get current(): LoadedStore {
    return this.#current;
  }

  draft(): MetadataDraft {
    return new MetadataDraft(this.#current.metadata, this.nowMs);
  }

  /** Signs the draft and puts it in force together with the files it lists. */
  async commit(
    draft: MetadataDraft,
    put: readonly NewFile[],
    renew: SignOptions['renew'] = 'half-spent',
  ): Promise<LoadedStore> {
    const metadata = await draft.sign({ provider: this.signers, renew });
    const files = new Map(put.map(({ target, bytes }) => [targetFile(target), bytes]));
    return this.#commit(metadata, files);
  }

  /** Puts a next root in force, which needs no other file to change. */
  commitRoot(bytes: Uint8Array): Promise<LoadedStore> {
    const path = metadataFile('root', this.#current.metadata.root.version + 1);
    // When all has expired, the root has to be mended before the rest can be; readers refuse the rest until it is.
    return this.#commit(new Map([[path, bytes]]), new Map(), 'tolerated');
  }

  async #commit(
    metadata: MetadataFiles,
    files: ReadonlyMap<string, Uint8Array>,
    expired: 'refused' | 'tolerated' = 'refused',
  ): Promise<LoadedStore> {
    const overlay = new OverlaySource(new Map([...metadata, ...files]), this.source);
    // What a reader would refuse is never written.
    const next = await loadStore({
      source: overlay,
      pinnedRoot: this.#pinnedRoot,
      accepted: this.#accepted,
      nowMs: this.nowMs,
      known: this.#current,
      expired,
    });
    const ordered = inOrder(metadata, files);
    const last = ordered.pop();
    if (last === undefined) throw new Error('nothing to commit');
    const progress = new WriteProgress(this.options, [...ordered, last]);
    await this.#assertUnchanged();
    // Left by somebody who had no marker on the bench, such as a tool that copies folders.
    if (await this.#isTaken(metadata)) await this.#cleanUp();
    await this.#mark();
    try {
      for (const file of ordered) await this.#write(file, progress);
      await this.#assertUnchanged();
      await this.#write(last, progress);
    } catch (error) {
      await this.#cleanUp().catch(() => undefined);
      throw error;
    }
    const before = this.#current;
    this.#current = next;
    rememberVerified(this.source.folder, this.#pinnedRoot, next);
    await this.#remember(next);
    await this.#retire(metadata, before);
    return next;
  }

  /**
   * Files are made on the bench and moved into place. Metadata never takes the place of another file, except for the
   * timestamp: who wrote the same version meanwhile may have put it in force.
   */
  async #write([path, bytes]: readonly [string, Uint8Array], progress: WriteProgress): Promise<void> {
    const { folder } = this.source;
    const full = join(folder, path);
    const via = join(folder, benchFolder);
    if (path === timestampFile || classifyStoreFile(path)?.kind === 'target') {
      const beforePiece = (pieceBytes: number): void => {
        progress.before(pieceBytes);
      };
      await writeDurably(full, bytes, { via, beforePiece });
      return;
    }
    progress.before(bytes.byteLength);
    try {
      await createExclusively(full, bytes, { via });
    } catch (error) {
      throw systemCode(error) === 'EEXIST' ? changedMeanwhile() : error;
    }
  }

  async #isTaken(metadata: MetadataFiles): Promise<boolean> {
    for (const path of metadata.keys()) {
      const isThere = access(join(this.source.folder, path)).then(
        () => true,
        () => false,
      );
      if (path !== timestampFile && (await isThere)) return true;
    }
    return false;
  }

  /** Compare and swap: the timestamp this change was built on is still the one in force, and the lock still ours. */
  async #assertUnchanged(): Promise<void> {
    await this.#lock.assertHeld();
    const now = await this.source.read(timestampFile, metadataBytesMax.timestamp);
    const before = this.#current.metadata.files.get(timestampFile);
    if (now !== undefined && before !== undefined && Buffer.compare(now, before) === 0) return;
    throw changedMeanwhile();
  }

  async #remember(next: LoadedStore): Promise<void> {
    const { files, roles } = next.metadata;
    const snapshotFile = metadataFile('snapshot', roles.get('snapshot')?.version ?? 0);
    const kept = [timestampFile, snapshotFile].map(
      (path) => [path, files.get(path) ?? new Uint8Array()] as const,
    );
    const state = publisherStateFolder(homeFolder(this.options));
    try {
      this.#accepted = await rememberState(state, {
        files: new Map(kept),
        floor: floorOf(roles),
        pinnedRoot: this.#pinnedRoot,
        nowMs: this.nowMs,
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new StoreError(
        'FILE_UNREADABLE',
        `The change is in force, revision ${next.snapshot.revision}. But: ${why}`,
        { cause: error },
      );
    }
  }

  /** What cannot be tidied now is tidied by the next publisher, who finds the marker. */
  async #retire(written: MetadataFiles, before: LoadedStore): Promise<void> {
    const { metadata } = this.#current;
    try {
      // What was signed with keys that are replaced now goes at once: nothing may vouch for it any more.
      if (hasOtherKeys(before, this.#current)) await sweepFolder(this.source, { metadata });
      else await retireSuperseded(this.source, { metadata, written: [...written.keys()] });
      await this.#unmark();
    } catch (error) {
      if (!(error instanceof StoreError) && systemCode(error) === undefined) throw error;
    }
  }

  get #marker(): string {
    return join(this.source.folder, benchFolder, 'unfinished');
  }

  async #isInterrupted(): Promise<boolean> {
    return access(this.#marker).then(
      () => true,
      () => false,
    );
  }

  async #mark(): Promise<void> {
    await mkdir(dirname(this.#marker), { recursive: true });
    await rm(this.#marker, { force: true });
    await writeFlushed(this.#marker, Buffer.from(`${process.pid} ${randomUUID()}\n`));
    await flushFolder(dirname(this.#marker));
  }

  async #unmark(): Promise<void> {
    await rm(this.#marker, { force: true });
  }

  /** Removes what an interrupted change left. */
  async #cleanUp(): Promise<void> {
    const { source } = this;
    const current = await loadStore({
      source,
      pinnedRoot: this.#pinnedRoot,
      accepted: this.#accepted,
      nowMs: this.nowMs,
      known: this.#current,
      expired: 'tolerated',
    });
    await sweepFolder(source, { metadata: current.metadata });
    await this.#unmark();
  }
}

/** Delegating roles before those they delegate to, then the files, then snapshot and timestamp. */
function inOrder(
  metadata: MetadataFiles,
  files: ReadonlyMap<string, Uint8Array>,
): (readonly [string, Uint8Array])[] {
  const isTop = (path: string): boolean => path === timestampFile || path.endsWith('.snapshot.json');
  const [top, below] = [
    [...metadata].filter(([path]) => isTop(path)),
    [...metadata].filter(([path]) => !isTop(path)),
  ];
  return [...below, ...files, ...top];
}

function changedMeanwhile(): StoreError {
  return new StoreError(
    'STORE_LOCKED',
    'Somebody else changed the store meanwhile. Nothing was changed here; try again.',
  );
}

function hasOtherKeys(before: LoadedStore, after: LoadedStore): boolean {
  const idsOf = ({ metadata }: LoadedStore, role: string): string =>
    [...(metadata.roles.get(role)?.keys.keys.keys() ?? [])].join();
  return [...before.metadata.roles.keys()].some((role) => idsOf(before, role) !== idsOf(after, role));
}

/** Trouble of the system becomes a coded error; a fault of this program stays what it is. */
export function asStoreError(error: unknown, folder: string): unknown {
  const code = systemCode(error);
  if (error instanceof StoreError || code === undefined) return error;
  return new StoreError('FILE_UNREADABLE', `${folder} cannot be changed (${code}).`, { cause: error });
}
