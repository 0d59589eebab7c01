/** Bytes that threads can read already are not copied; others are. */
import { expect, test } from 'vitest';
import { inSharedMemory } from '../../../runtime/pool/shared-bytes.ts';

test('shared bytes stay where they are', () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(8), 2, 3);
  expect(inSharedMemory(bytes)).toBe(bytes);
});

test('other bytes are copied, those of the view and no others', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  const shared = inSharedMemory(bytes);
  expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect([...shared]).toEqual([2, 3]);
  bytes[0] = 9;
  expect(shared[0]).toBe(2);
});
