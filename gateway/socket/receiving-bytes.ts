/**
 * How many bytes of bodies are here that are still arriving: pieces that wait for the rest, and what compressed ones have
 * inflated to. A body that comes in one piece is read where it lies and is none of them. Bounded for all bodies together,
 * since many that never end would otherwise take all memory, each within its own limit.
 */

export class ReceivingBytes {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing is taken, when there is no room. The only body there is, which holds `own` by now, may always go on. */
  take(more: number, own: number): boolean {
    if (this.#bytes > own && this.#bytes + more > this.#bytesMax) return false;
    this.#bytes += more;
    return true;
  }

  give(bytes: number): void {
    if (bytes > this.#bytes) throw new Error('more bytes are given back than were taken');
    this.#bytes -= bytes;
  }
}
