/**
 * Gathers a body that comes in pieces into one block of memory that doubles as it grows. The pieces may be reused by
 * whoever gave them as soon as `add` returns.
 */

export class CollectedBody {
  readonly #bytesMax: number;
  #buffer: Uint8Array;
  #length = 0;

  /** `bytesExpected` saves growing where the size is known; it is not believed beyond `bytesMax`. */
  constructor(bytesMax: number, bytesExpected: number = 0) {
    this.#bytesMax = bytesMax;
    this.#buffer = new Uint8Array(Math.min(bytesExpected, bytesMax));
  }

  get length(): number {
    return this.#length;
  }

  /** False when it would become larger than it may; then nothing was added. */
  add(piece: Uint8Array): boolean {
    const needed = this.#length + piece.length;
    if (needed > this.#bytesMax) return false;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(Math.max(needed, this.#buffer.length * 2), this.#bytesMax));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = needed;
    return true;
  }

  /** A view; valid until something is added. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
