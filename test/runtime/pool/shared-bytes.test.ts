/** Bytes that threads can read already are not copied; others are, a slice in a turn of the event loop. */
import { expect, test } from 'vitest';
import { inSharedMemory } from '../../../runtime/pool/shared-bytes.ts';

test('shared bytes stay where they are', async () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(8), 2, 3);
  expect(await inSharedMemory(bytes)).toBe(bytes);
});

test('other bytes are copied, those of the view and no others', async () => {
  const bytes = Uint8Array.of(1, 2, 3, 4).subarray(1, 3);
  const shared = await inSharedMemory(bytes);
  expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
  expect([...shared]).toEqual([2, 3]);
  bytes[0] = 9;
  expect(shared[0]).toBe(2);
});

test('a large file is whole, and others had their turns meanwhile', async () => {
  const file = Uint8Array.from({ length: 3 * 2 ** 20 + 5 }, (_, index) => index % 251);
  let turns = 0;
  let isDone = false;
  const take = (): void => {
    turns += 1;
    if (!isDone) setImmediate(take);
  };
  setImmediate(take);
  const shared = await inSharedMemory(file);
  isDone = true;
  expect(Buffer.compare(shared, file)).toBe(0);
  expect(turns).toBeGreaterThanOrEqual(6);
});

test('nothing is copied of a file without bytes', async () => {
  expect(await inSharedMemory(new Uint8Array(0))).toHaveLength(0);
});
