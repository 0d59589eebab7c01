/**
 * Which keys were seen, in fixed memory. Two keys whose hashes share their low bits count as one: a sample is lost, which
 * never makes evidence.
 */

const bits = 20;

export class KeySet {
  /** One bit for each seat; whoever fills it otherwise says so with `recount`. */
  readonly words: Uint32Array = new Uint32Array(2 ** (bits - 5));
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether the key is new, and from now on it is not. `keyHash` is an unsigned 32-bit number. */
  add(keyHash: number): boolean {
    const seat = keyHash & (2 ** bits - 1);
    const word = seat >>> 5;
    const mask = 1 << (seat & 31);
    const before = this.words[word] ?? 0;
    if ((before & mask) !== 0) return false;
    this.words[word] = before | mask;
    this.#size += 1;
    return true;
  }

  /** The bits were filled in from elsewhere. */
  recount(): void {
    this.#size = 0;
    for (const word of this.words) {
      for (let left = word; left !== 0; left &= left - 1) this.#size += 1;
    }
  }
}
