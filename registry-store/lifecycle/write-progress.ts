/** Between the pieces of what a change writes: says how far it is, and stops it when its caller has given it up. */
import type { PublisherOptions } from './publisher-options.ts';

export class WriteProgress {
  readonly #options: Pick<PublisherOptions, 'signal' | 'progress'>;
  readonly #totalBytes: number;
  #doneBytes = 0;

  constructor(
    options: Pick<PublisherOptions, 'signal' | 'progress'>,
    files: readonly (readonly [string, Uint8Array])[],
  ) {
    this.#options = options;
    this.#totalBytes = files.reduce((sum, [, bytes]) => sum + bytes.byteLength, 0);
  }

  /** Before a piece is written. Throws the reason of a signal that is aborted. */
  before(pieceBytes: number): void {
    const { signal, progress } = this.#options;
    signal?.throwIfAborted();
    progress?.(this.#doneBytes, this.#totalBytes);
    this.#doneBytes += pieceBytes;
  }
}
