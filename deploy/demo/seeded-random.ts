/**
 * The random numbers of training: a small generator with a seed, so that the same code always gives the same model.
 * Not for anything that must be hard to guess.
 */

export interface SeededRandom {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
  /** Normal with mean 0 and deviation 1, as a sum of uniforms: no logarithm whose last bit depends on the platform. */
  normal(): number;
  /** The integers 0 to count - 1 in random order. */
  permutation(count: number): Uint32Array;
}

/** mulberry32: one 32-bit state word, integer arithmetic only. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function below(bound: number): number {
    return Math.floor(next() * bound);
  }

  function normal(): number {
    let sum = 0;
    for (let term = 0; term < 12; term++) sum += next();
    return sum - 6;
  }

  function permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last--) {
      const other = below(last + 1);
      const swapped = order[last] ?? 0;
      order[last] = order[other] ?? 0;
      order[other] = swapped;
    }
    return order;
  }

  return { next, below, normal, permutation };
}
