/** Bytes are moved to another thread where their memory holds nothing else; a part of it would take the rest along. */
import { expect, test } from 'vitest';
import { movedBytes } from '../../../runtime/protocol/moved-bytes.ts';

const memory = new ArrayBuffer(8);

test.each([
  { what: 'all of its memory', bytes: new Uint8Array(memory), moved: [memory] },
  { what: 'the start of its memory', bytes: new Uint8Array(memory, 0, 4), moved: [] },
  { what: 'the end of its memory', bytes: new Uint8Array(memory, 4), moved: [] },
  { what: 'memory that threads share', bytes: new Uint8Array(new SharedArrayBuffer(8)), moved: [] },
])('of $what that moves', ({ bytes, moved }) => {
  const found = movedBytes(bytes);
  expect(found).toHaveLength(moved.length);
  expect(found[0]).toBe(moved[0]);
});
