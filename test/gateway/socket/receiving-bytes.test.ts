/** Bodies that arrive share one bound, and the only one there is may always go on. */
import { expect, test } from 'vitest';
import { ReceivingBytes } from '../../../gateway/socket/receiving-bytes.ts';

test('bodies that arrive are refused beyond the bound, except the only one', () => {
  const receiving = new ReceivingBytes(100);
  expect(receiving.take(80, 0)).toBe(true);
  expect(receiving.take(80, 80)).toBe(true);
  expect(receiving.take(1, 0)).toBe(false);
  receiving.give(160);
  expect([receiving.take(60, 0), receiving.take(40, 0), receiving.take(1, 60)]).toEqual([true, true, false]);
  receiving.give(40);
  expect([receiving.take(1, 60), receiving.bytes]).toEqual([true, 61]);
  expect(() => {
    receiving.give(62);
  }).toThrow('more bytes');
});
