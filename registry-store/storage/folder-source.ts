/**
 * A store in a folder. It opens regular files inside the folder and nothing else: no links, no devices, no path that
 * climbs. It reads and lists; what the bytes are worth is decided above.
 */
import { type Dirent, constants, readSync } from 'node:fs';
import { type FileHandle, open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { StoreError, refusal, systemCode } from '../store-error.ts';
import { benchFolder } from '../trust/store-file.ts';
import type { StoreSource } from './store-source.ts';

/** Bytes per read: large enough that hashing, not the system call, is the cost. */
const pieceBytes = 1024 * 1024;
/** More files than this are an accident or an attack; listing them would take the process down. */
const filesMax = 500_000;

export class FolderSource implements StoreSource {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Whether there is anything that could be a store. */
  async exists(): Promise<boolean> {
    return (await this.#entries('')).some(({ name }) => name === 'metadata');
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = await this.#open(path);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      if (size > bytesMax)
        throw refusal('file-size', `${path} has ${size} bytes, more than the ${bytesMax} it may have.`);
      const bytes = new Uint8Array(size);
      let filled = 0;
      while (filled < size) {
        // By this thread, which may be behind others while it reads a model; those that Node keeps for files are not.
        const bytesRead = readSync(file.fd, bytes, filled, Math.min(pieceBytes, size - filled), filled);
        if (bytesRead === 0) throw refusal('file-size', `${path} became shorter while it was read.`);
        filled += bytesRead;
        if (filled < size) await nextTurn();
      }
      return bytes;
    } finally {
      await file.close();
    }
  }

  /** Length of a file; undefined when there is none. */
  async sizeOf(path: string): Promise<number | undefined> {
    const file = await this.#open(path);
    if (file === undefined) return undefined;
    try {
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  }

  async *stream(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const file = await this.#open(path);
    if (file === undefined) throw refusal('file-present', `${path} is missing.`);
    try {
      // A store has many small files, and a large buffer for each would cost more than reading it.
      const { size } = await file.stat();
      const piece = new Uint8Array(Math.min(pieceBytes, size + 1));
      for (;;) {
        const { bytesRead } = await file.read(piece, 0, piece.byteLength);
        if (bytesRead === 0) return;
        yield piece.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  /** Every file below the folder except those on the publisher's bench, sorted. */
  async list(): Promise<readonly string[]> {
    const files: string[] = [];
    const folders = [''];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of await this.#entries(folder)) {
        const path = folder + entry.name;
        if (entry.isDirectory()) {
          if (path !== benchFolder) folders.push(`${path}/`);
        } else if (entry.isFile()) {
          files.push(path);
        } else {
          throw refusal('file-kind', `${path} is a link or a device; copy the file itself into the store.`);
        }
        if (files.length > filesMax)
          throw refusal('file-known', `The store has more than ${filesMax} files.`);
      }
    }
    return files.sort();
  }

  async #entries(folder: string): Promise<readonly Dirent[]> {
    try {
      return await readdir(join(this.folder, folder), { withFileTypes: true });
    } catch (error) {
      // A folder may go while a publisher tidies up; the store itself may not.
      if (systemCode(error) === 'ENOENT' && folder !== '') return [];
      throw unreadable(this.folder, error);
    }
  }

  async #open(path: string): Promise<FileHandle | undefined> {
    const full = join(this.folder, path);
    try {
      const [root, parent] = await Promise.all([realpath(this.folder), realpath(join(full, '..'))]);
      if (parent !== join(root, path, '..')) {
        throw refusal(
          'file-kind',
          `${path} is reached through a link; copy the folder itself into the store.`,
        );
      }
      const file = await open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if ((await file.stat()).isFile()) return file;
      await file.close();
      throw refusal('file-kind', `${path} is not a file.`);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
      if (systemCode(error) === 'ELOOP') {
        throw refusal('file-kind', `${path} is a link; copy the file itself into the store.`, error);
      }
      throw unreadable(full.split(sep).join('/'), error);
    }
  }
}

function unreadable(path: string, error: unknown): StoreError {
  if (systemCode(error) === 'ENOENT') {
    return new StoreError('STORE_MISSING', `There is no store at ${path}. Create one with "tidegate init".`, {
      cause: error,
    });
  }
  return new StoreError('FILE_UNREADABLE', `${path} cannot be read (${systemCode(error) ?? 'unknown'}).`, {
    cause: error,
  });
}
