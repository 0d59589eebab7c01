/**
 * Where a node takes model files from: in place from a folder, or from the cache that an HTTP source fills. Either way
 * a file is checked when it arrives, before the state that needs it counts, and again whenever it is read.
 */
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError, accept, isStoreError, refusal } from '../store-error.ts';
import { checkArtifact, type SignedFile } from '../trust/artifact-digest.ts';
import { targetFile } from '../trust/store-file.ts';
import type { ArtifactCache } from './artifact-cache.ts';
import { download } from './artifact-download.ts';
import { auditTarget } from './folder-audit.ts';
import type { FolderSource } from './folder-source.ts';
import type { HttpSource } from './http-source.ts';
import { neededFiles, requireInPlace, signedFile } from './needed-files.ts';

/** How far a round of downloads is. */
export interface DownloadProgress {
  readonly files: number;
  readonly filesDone: number;
  readonly bytes: number;
  readonly bytesDone: number;
}

export interface ArtifactShelf {
  /**
   * Resolves when all files that this state needs are at hand and checked; `before` is the state that serves now, and
   * may be the same.
   */
  provide(next: StoreSnapshot, before: StoreSnapshot | undefined): Promise<void>;
  /** This state counts from now on: what only older ones needed may go. */
  settle(current: StoreSnapshot): Promise<void>;
  /** A file the state needs that cannot be had without the source, if there is one. */
  findMissing(snapshot: StoreSnapshot): Promise<string | undefined>;
  /** The bytes that were signed; the caller owns them. */
  read(file: SignedFile): Promise<Uint8Array<ArrayBuffer>>;
}

/** Files downloaded at a time. */
const downloadsMax = 4;

/**
 * Models in place. Every version that appears must be whole before the state that lists it counts; of those that were
 * whole before, the ones that the state needs must still be there.
 */
export class FolderShelf implements ArtifactShelf {
  readonly #source: FolderSource;

  constructor(source: FolderSource) {
    this.#source = source;
  }

  async provide(next: StoreSnapshot, before: StoreSnapshot | undefined): Promise<void> {
    for (const [model, versions] of next.models) {
      const known = before?.models.get(model);
      if (known === versions) continue;
      for (const [name, { artifact }] of versions) {
        const isKnown = known?.get(name)?.artifact.sha256 === artifact.sha256;
        if (!isKnown) await auditTarget(this.#source, { ...signedFile(artifact), custom: undefined });
      }
    }
    await requireInPlace(this.#source, next);
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  async findMissing(snapshot: StoreSnapshot): Promise<string | undefined> {
    for (const file of neededFiles(snapshot).values()) {
      try {
        await auditTarget(this.#source, { ...file, custom: undefined });
      } catch (error) {
        return isStoreError(error) ? error.message : String(error);
      }
    }
    return undefined;
  }

  async read(file: SignedFile): Promise<Uint8Array<ArrayBuffer>> {
    const path = targetFile(file);
    const bytes = await this.#source.read(path, file.sizeBytes);
    if (bytes === undefined) throw refusal('file-present', `${path} is missing.`);
    accept(checkArtifact(bytes, { ...file, path }));
    return bytes;
  }
}

/** Models in the cache; downloads are shared by all who wait for the same file. */
export class CachedShelf implements ArtifactShelf {
  readonly #source: HttpSource;
  readonly #cache: ArtifactCache;
  readonly #progress: (progress: DownloadProgress) => void;
  readonly #downloads = new Map<string, Promise<void>>();
  #needed: ReadonlySet<string> = new Set();

  constructor(options: {
    readonly source: HttpSource;
    readonly cache: ArtifactCache;
    readonly progress: (progress: DownloadProgress) => void;
  }) {
    this.#source = options.source;
    this.#cache = options.cache;
    this.#progress = options.progress;
  }

  async provide(next: StoreSnapshot): Promise<void> {
    const needed = neededFiles(next);
    this.#cache.requireRoom(needed.values());
    const missing = [...needed.values()].filter((file) => !this.#cache.has(file));
    const tally = this.#tally(missing);
    const queue = missing.values();
    let failed = false;
    const work = async (): Promise<void> => {
      for (const file of queue) {
        if (failed) return;
        try {
          await this.#download(file, tally(file));
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    const workers = Array.from({ length: downloadsMax }, work);
    // All of them are waited for: a download that goes on after a failure would meet the next attempt at the same file.
    const failure = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') throw failure.reason;
  }

  async settle(current: StoreSnapshot): Promise<void> {
    this.#needed = new Set(neededFiles(current).keys());
    await this.#cache.evict(this.#needed);
    await this.#cache.forgetParts(this.#needed);
  }

  async findMissing(snapshot: StoreSnapshot): Promise<string | undefined> {
    for (const file of neededFiles(snapshot).values()) {
      if (!(await this.#cache.check(file))) return `${file.path} is not in the cache, or damaged there.`;
    }
    return undefined;
  }

  async read(file: SignedFile): Promise<Uint8Array<ArrayBuffer>> {
    const cached = await this.#cache.read(file);
    if (cached !== undefined) return cached;
    await this.#download(file, () => undefined);
    const fetched = await this.#cache.read(file);
    await this.#cache.evict(new Set([...this.#needed, file.sha256]));
    if (fetched !== undefined) return fetched;
    throw new StoreError(
      'FILE_UNREADABLE',
      `${file.path} was written to ${this.#cache.folder} but cannot be read back; the disk may be failing.`,
    );
  }

  #download(file: SignedFile, progress: (bytes: number) => void): Promise<void> {
    let running = this.#downloads.get(file.sha256);
    if (running === undefined) {
      running = download({ source: this.#source, cache: this.#cache, file, progress }).finally(() => {
        this.#downloads.delete(file.sha256);
      });
      this.#downloads.set(file.sha256, running);
    }
    return running;
  }

  /** Adds up what all files of a round say about themselves. */
  #tally(files: readonly SignedFile[]): (file: SignedFile) => (bytes: number) => void {
    const done = new Map<string, number>();
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return (file) => (fileBytes) => {
      done.set(file.sha256, fileBytes);
      const bytesDone = [...done.values()].reduce((sum, value) => sum + value, 0);
      const filesDone = files.filter(({ sha256, sizeBytes }) => done.get(sha256) === sizeBytes).length;
      this.#progress({ files: files.length, filesDone, bytes, bytesDone });
    };
  }
}
