/**
 * Which rollouts this node went back from, on its disk: a restart must not bring a bad candidate back. Written before the
 * process does anything else, which is short and rare enough for the event loop.
 *
 * A file that cannot be read or written costs the memory, never the serving: the judge would find the same again.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The oldest go first: a rollout that long ago is over. */
const rolloutsMax = 1000;

export interface RolloutMemoryOptions {
  /** Undefined for a node without a disk of its own: it remembers until it ends. */
  readonly file: string | undefined;
  readonly onTrouble: (trouble: unknown) => void;
}

export class RolloutMemory {
  readonly #options: RolloutMemoryOptions;
  readonly #ids: Set<string>;

  constructor(options: RolloutMemoryOptions) {
    this.#options = options;
    this.#ids = new Set(this.#read());
  }

  has(rolloutId: string): boolean {
    return this.#ids.has(rolloutId);
  }

  add(rolloutId: string): void {
    this.#ids.add(rolloutId);
    const [oldest] = this.#ids;
    if (this.#ids.size > rolloutsMax && oldest !== undefined) this.#ids.delete(oldest);
    this.#write();
  }

  #read(): readonly string[] {
    const { file, onTrouble } = this.#options;
    if (file === undefined) return [];
    try {
      const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
      if (isMemory(content)) return content.rolled_back;
      throw new Error(`${file} is not a list of rollouts`);
    } catch (error) {
      const isFirstStart = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      if (!isFirstStart) onTrouble(error);
      return [];
    }
  }

  /** Whole or not at all, also when the power goes. */
  #write(): void {
    const { file, onTrouble } = this.#options;
    if (file === undefined) return;
    try {
      mkdirSync(dirname(file), { recursive: true });
      const draft = openSync(`${file}.draft`, 'w');
      try {
        writeSync(draft, JSON.stringify({ rolled_back: [...this.#ids] }));
        fsyncSync(draft);
      } finally {
        closeSync(draft);
      }
      renameSync(`${file}.draft`, file);
    } catch (error) {
      onTrouble(error);
    }
  }
}

function isMemory(content: unknown): content is { readonly rolled_back: readonly string[] } {
  if (typeof content !== 'object' || content === null || !('rolled_back' in content)) return false;
  const { rolled_back: ids } = content;
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string');
}
