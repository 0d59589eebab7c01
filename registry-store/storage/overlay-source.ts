/**
 * A source with some files in front of it: what a publisher is about to write, before it is written. Readers' own
 * verification runs over it, so nothing is ever put in place that a reader would refuse.
 */
import { refusal } from '../store-error.ts';
import type { StoreSource } from './store-source.ts';

export class OverlaySource implements StoreSource {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #below: StoreSource;

  constructor(files: ReadonlyMap<string, Uint8Array>, below: StoreSource) {
    this.#files = files;
    this.#below = below;
  }

  async read(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
    const bytes = this.#files.get(path);
    if (bytes === undefined) return this.#below.read(path, bytesMax);
    if (bytes.byteLength <= bytesMax) return bytes;
    throw refusal(
      'file-size',
      `${path} would have ${bytes.byteLength} bytes, more than the ${bytesMax} it may have.`,
    );
  }

  async *stream(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const bytes = this.#files.get(path);
    if (bytes !== undefined) yield bytes;
    else yield* this.#below.stream(path);
  }
}
