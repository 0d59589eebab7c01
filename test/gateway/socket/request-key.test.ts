/** The address of a client as a key: the same for the same client, however the gateway listens. */
import { expect, test } from 'vitest';
import { addressText } from '../../../gateway/socket/request-key.ts';

const v4 = [192, 0, 2, 7];

test.each([
  ['IPv4', v4, '192.0.2.7'],
  ['IPv4 in IPv6', [...new Array<number>(10).fill(0), 255, 255, ...v4], '192.0.2.7'],
  ['IPv6', [32, 1, 13, 184, ...new Array<number>(11).fill(0), 1], '20010db8000000000000000000000001'],
  ['IPv6 that ends like IPv4', [...new Array<number>(12).fill(0), ...v4], '000000000000000000000000c0000207'],
  ['nobody', [], ''],
])('%s', (_, bytes, text) => {
  expect(addressText(Uint8Array.from(bytes))).toBe(text);
});
