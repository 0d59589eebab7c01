/**
 * A source with files in front of it that can never be others: roots that were accepted, and the manifest, whose name
 * is its digest. They are verified at every look like everything else, but fetched once. Without a source below, it is
 * the state that a node starts from when its source cannot be reached.
 */
import { refusal } from '../store-error.ts';
import { classifyStoreFile } from '../trust/store-file.ts';
import type { StoreSource } from './store-source.ts';

export class KeptSource implements StoreSource {
  readonly #kept: ReadonlyMap<string, Uint8Array>;
  readonly #below: StoreSource | undefined;
  /** What was read so far and never changes: worth keeping if the look succeeds. */
  readonly #lasting = new Map<string, Uint8Array>();

  constructor(kept: ReadonlyMap<string, Uint8Array>, below?: StoreSource) {
    this.#kept = kept;
    this.#below = below;
  }

  /** Roots and manifests among what was read. */
  get lasting(): ReadonlyMap<string, Uint8Array> {
    return this.#lasting;
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const lasts = isLasting(path);
    const kept = this.#below === undefined || lasts ? this.#kept.get(path) : undefined;
    const bytes = kept ?? (await this.#below?.read(path, bytesMax));
    if (bytes !== undefined && lasts) this.#lasting.set(path, bytes);
    return bytes;
  }

  async *stream(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#below === undefined) throw refusal('file-present', `${path} is missing.`);
    yield* this.#below.stream(path);
  }
}

function isLasting(path: string): boolean {
  const file = classifyStoreFile(path);
  return file?.kind === 'target' || (file?.kind === 'metadata' && file.role === 'root');
}
