/**
 * Notices that a store folder changed: at once where the system tells, and by looking now and then where it does not
 * (network file systems, a folder that was replaced). It only rings; what changed is for the reader to find out.
 */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

export interface FolderWatchOptions {
  readonly folder: string;
  /** Time between two looks without a notice, milliseconds. */
  readonly pollMs: number;
  /** Called often and for nothing; must not throw. */
  readonly ring: () => void;
}

export class FolderWatch {
  readonly #options: FolderWatchOptions;
  readonly #path: string;
  readonly #timer: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #inode: number | undefined;
  #closed = false;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
    this.#path = join(options.folder, 'metadata');
    this.#timer = setInterval(() => {
      void this.#look();
    }, options.pollMs);
    // A gateway that has nothing left but this timer should end.
    this.#timer.unref();
  }

  /** Resolves when notices are on, or cannot be had here. */
  async start(): Promise<void> {
    await this.#watchAnew();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
  }

  async #look(): Promise<void> {
    await this.#watchAnew();
    if (!this.#closed) this.#options.ring();
  }

  /** A watch is bound to the folder it was made for; when another one stands in its place it sees nothing more. */
  async #watchAnew(): Promise<void> {
    const inode = await inodeOf(this.#path);
    if (this.#closed || (inode === this.#inode && this.#watcher !== undefined)) return;
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#inode = inode;
    if (inode === undefined) return;
    try {
      this.#watcher = watch(this.#path, { persistent: false }, () => {
        this.#options.ring();
      });
      this.#watcher.on('error', () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      // Out of watches, or a file system without them: looking now and then goes on.
    }
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch {
    return undefined;
  }
}
