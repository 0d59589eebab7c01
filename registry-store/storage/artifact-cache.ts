/**
 * Model files on the node's own disk, by digest, for stores that are read over a network.
 *
 *     <cache>/<sha256>          a whole file; the time it was used last is its modification time
 *     <cache>/<sha256>.part     a download that is under way or was interrupted
 *     <cache>/<sha256>.from     what to show the server to get exactly the rest of that file
 *
 * A file gets its name only after its digest was checked and it is on the disk. It is checked again whenever it is
 * read: what a disk gives back is not always what it was given.
 */
import { type FileHandle, mkdir, open, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { ArtifactDigest, type SignedFile } from '../trust/artifact-digest.ts';
import { flushFolder, writeDurably } from './durable-file.ts';

/** Bytes per read: large enough that hashing, not the system call, is the cost. */
const pieceBytes = 1024 * 1024;

/** A download that can be gone on with. */
export interface PartialFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly validator: string | undefined;
}

export class ArtifactCache {
  readonly folder: string;
  readonly #bytesMax: number;
  /** Whole files, least recently used first. */
  readonly #sizes = new Map<string, number>();

  private constructor(folder: string, bytesMax: number) {
    this.folder = folder;
    this.#bytesMax = bytesMax;
  }

  static async open(folder: string, bytesMax: number): Promise<ArtifactCache> {
    const cache = new ArtifactCache(folder, bytesMax);
    try {
      await mkdir(folder, { recursive: true });
      const found: { readonly name: string; readonly sizeBytes: number; readonly usedMs: number }[] = [];
      for (const name of await readdir(folder)) {
        const file = await stat(join(folder, name));
        if (/^[0-9a-f]{64}$/.test(name)) found.push({ name, sizeBytes: file.size, usedMs: file.mtimeMs });
      }
      found.sort((left, right) => left.usedMs - right.usedMs);
      for (const { name, sizeBytes } of found) cache.#sizes.set(name, sizeBytes);
    } catch (error) {
      throw cacheTrouble(folder, error);
    }
    return cache;
  }

  get sizeBytes(): number {
    let total = 0;
    for (const sizeBytes of this.#sizes.values()) total += sizeBytes;
    return total;
  }

  /** By name and length only; the content is checked when it is read. */
  has(file: SignedFile): boolean {
    return this.#sizes.get(file.sha256) === file.sizeBytes;
  }

  /** The bytes that were signed, or undefined when there are none; a damaged file is removed. The caller owns them. */
  async read(file: SignedFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#sizes.has(file.sha256)) return undefined;
    const path = this.#path(file);
    const bytes = await readWhole(path, file).catch(async (error: unknown) => {
      if (systemCode(error) !== 'ENOENT') await rm(path, { force: true });
      return undefined;
    });
    this.#sizes.delete(file.sha256);
    if (bytes === undefined) return undefined;
    this.#sizes.set(file.sha256, file.sizeBytes);
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined);
    return bytes;
  }

  /** Whether the whole file is here and is what was signed; a damaged one is removed. */
  async check(file: SignedFile): Promise<boolean> {
    return (await this.read(file)) !== undefined;
  }

  /** Throws CACHE_FULL when these files cannot all be here at the same time. */
  requireRoom(needed: Iterable<SignedFile>): void {
    let total = 0;
    for (const { sizeBytes } of needed) total += sizeBytes;
    if (total <= this.#bytesMax) return;
    throw new StoreError(
      'CACHE_FULL',
      `What is live needs ${total} bytes, but the cache of this node may have ${this.#bytesMax}: give it more (--cache-size), or deploy less.`,
    );
  }

  /** Where the bytes of a download go, and what is there of an earlier one. */
  async partial(file: SignedFile): Promise<PartialFile> {
    const path = `${this.#path(file)}.part`;
    const [found, validator] = await Promise.all([
      stat(path).catch(() => undefined),
      readFile(`${this.#path(file)}.from`, 'utf8').catch(() => undefined),
    ]);
    // Without the validator nobody knows what the first part is a part of.
    const isUsable = found !== undefined && validator !== undefined && found.size < file.sizeBytes;
    return { path, sizeBytes: isUsable ? found.size : 0, validator: isUsable ? validator : undefined };
  }

  async rememberValidator(file: SignedFile, validator: string | undefined): Promise<void> {
    const path = `${this.#path(file)}.from`;
    if (validator === undefined) await rm(path, { force: true });
    else await writeDurably(path, Buffer.from(validator));
  }

  /** The partial file is whole, checked and flushed: it gets its name. */
  async complete(file: SignedFile): Promise<void> {
    const path = this.#path(file);
    await rename(`${path}.part`, path);
    await rm(`${path}.from`, { force: true });
    await flushFolder(this.folder);
    this.#sizes.delete(file.sha256);
    this.#sizes.set(file.sha256, file.sizeBytes);
  }

  async dropPartial(file: SignedFile): Promise<void> {
    await rm(`${this.#path(file)}.part`, { force: true });
    await rm(`${this.#path(file)}.from`, { force: true });
  }

  /** Removes what was not used for longest until the rest fits; never what is needed. */
  async evict(needed: ReadonlySet<string>): Promise<void> {
    let total = this.sizeBytes;
    for (const [sha256, sizeBytes] of this.#sizes) {
      if (total <= this.#bytesMax) return;
      if (needed.has(sha256)) continue;
      this.#sizes.delete(sha256);
      await rm(join(this.folder, sha256), { force: true });
      total -= sizeBytes;
    }
  }

  /** Parts of downloads that nobody will go on with. */
  async forgetParts(needed: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const sha256 = /^([0-9a-f]{64})\.(?:part|from)$/.exec(name)?.[1];
      const isDraft = name.startsWith('draft-');
      if (isDraft || (sha256 !== undefined && !needed.has(sha256)))
        await rm(join(this.folder, name), { force: true });
    }
  }

  #path({ sha256 }: SignedFile): string {
    return join(this.folder, sha256);
  }
}

/** Reads a file of known length piece by piece and checks its digest on the way. */
export async function readWhole(path: string, signed: SignedFile): Promise<Uint8Array<ArrayBuffer>> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size !== signed.sizeBytes) throw refusal('file-size', `${path} is not as long as was signed.`);
    const digest = new ArtifactDigest(signed);
    const bytes = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      const { bytesRead } = await file.read(bytes, filled, Math.min(pieceBytes, size - filled), filled);
      if (bytesRead === 0) throw refusal('file-size', `${path} became shorter while it was read.`);
      digest.add(bytes.subarray(filled, filled + bytesRead));
      filled += bytesRead;
    }
    const checked = digest.finish();
    if (!checked.ok) throw refusal(checked.check, checked.message);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Feeds what an open file has so far into a digest. */
export async function hashStart(file: FileHandle, sizeBytes: number, digest: ArtifactDigest): Promise<void> {
  const piece = new Uint8Array(pieceBytes);
  for (let read = 0; read < sizeBytes;) {
    const { bytesRead } = await file.read(piece, 0, Math.min(pieceBytes, sizeBytes - read), read);
    if (bytesRead === 0) throw refusal('file-size', 'A partial download became shorter while it was read.');
    digest.add(piece.subarray(0, bytesRead));
    read += bytesRead;
  }
}

export function cacheTrouble(folder: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof StoreError || code === undefined) return error;
  return new StoreError(
    'FILE_UNREADABLE',
    `The cache ${folder} cannot be used (${code}); free space or permissions are needed there.`,
    { cause: error },
  );
}
