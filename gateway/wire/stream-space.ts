/**
 * The bytes that frames are written into before they are sent: one growing space for all sockets, used again from its
 * start once its frames are gone. Writers claim room and write into `bytes` themselves.
 * Invariant: `[0, length)` is claimed; `bytes` is another array after a claim that did not fit.
 */

/** A space that huge answers have grown beyond this is given back when it is emptied. */
const retainedBytesMax = 4 * 1024 * 1024;
const initialBytes = 128 * 1024;

export class FrameSpace {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(initialBytes);
  length = 0;

  /** Where the room for `count` more bytes begins. */
  claim(count: number): number {
    const at = this.length;
    const end = at + count;
    if (end > this.bytes.length) this.#grow(end);
    this.length = end;
    return at;
  }

  add(source: Uint8Array): void {
    const at = this.claim(source.length);
    this.bytes.set(source, at);
  }

  /** Gives up what was claimed from `at` on. */
  cut(at: number): void {
    this.length = at;
  }

  empty(): void {
    this.length = 0;
    if (this.bytes.length > retainedBytesMax) this.bytes = new Uint8Array(initialBytes);
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes);
    this.bytes = larger;
  }
}
