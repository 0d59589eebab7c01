/** Values that other implementations of murmur3_x86_32 give. */
import { describe, expect, test } from 'vitest';
import { murmur3 } from '../../../gateway/route/murmur3.ts';

describe('murmur3', () => {
  test.each([
    ['', 0, 0],
    ['', 1, 1364076727],
    ['hello', 0, 613153351],
    ['hello, world', 0, 345750399],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 799549133],
    ['ключ-🔑', 0, 3408177328],
  ])('of %j with seed %i', (text, seed, hash) => {
    expect(murmur3(text, seed)).toBe(hash);
  });

  // Unleash: murmur3("group:id") % 100 + 1, from the tests that its clients share.
  test.each([
    ['gr1:123', 73],
    ['groupX:999', 25],
  ])('puts %j where feature flag clients put it', (text, normalized) => {
    expect((murmur3(text) % 100) + 1).toBe(normalized);
  });

  // From an independent implementation over the same bytes.
  test.each([
    ['ж', 341, 3152327651],
    ['ж', 342, 2071712571],
    ['a', 342, 3377438026],
    ['a', 5001, 1864405368],
  ])('is right for long texts: %j repeated %i times', (letter, times, hash) => {
    expect(murmur3(letter.repeat(times))).toBe(hash);
  });

  test('does not care whether a text fits the scratch buffer', () => {
    // 341 units are the most that surely fit; the letter is outside ASCII so that bytes and units differ.
    const hashes = [340, 341, 342, 343].map((length) => murmur3('ж'.repeat(length)));
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(murmur3('a'.repeat(5000))).not.toBe(murmur3(`${'a'.repeat(4999)}b`));
  });
});
