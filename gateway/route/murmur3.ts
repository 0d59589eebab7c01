/**
 * murmur3_x86_32 over the UTF-8 bytes of a text, as other systems compute it (Unleash and flagd have the same numbers), so
 * that a split can be checked anywhere. Not for secrets.
 */

const encoder = new TextEncoder();

/** Keys are short: what fits is hashed without allocating. A UTF-16 unit takes 3 bytes at most. */
const scratch = new Uint8Array(1024);

/** An unsigned 32-bit number. */
export function murmur3(text: string, seed = 0): number {
  if (text.length * 3 > scratch.length) {
    const bytes = encoder.encode(text);
    return murmur3Bytes(bytes, bytes.length, seed);
  }
  return murmur3Bytes(scratch, encoder.encodeInto(text, scratch).written, seed);
}

/** Austin Appleby's MurmurHash3_x86_32, from its public description. */
function murmur3Bytes(bytes: Uint8Array, length: number, seed: number): number {
  const blocksEnd = length & ~3;
  let hash = seed | 0;
  for (let at = 0; at < blocksEnd; at += 4) {
    hash ^= mixed(
      byteAt(bytes, at) |
        (byteAt(bytes, at + 1) << 8) |
        (byteAt(bytes, at + 2) << 16) |
        (byteAt(bytes, at + 3) << 24),
    );
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = length - 1; at >= blocksEnd; at -= 1) tail = (tail << 8) | byteAt(bytes, at);
  if (blocksEnd < length) hash ^= mixed(tail);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixed(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
