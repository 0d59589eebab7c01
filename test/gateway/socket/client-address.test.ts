/** The address of a client: one key for the same client however the gateway listens, and whose word counts for it. */
import { describe, expect, test } from 'vitest';
import {
  addressKey,
  addressOfBytes,
  parseProxyRange,
  type ProxyHeader,
  TrustedProxies,
} from '../../../gateway/socket/client-address.ts';

const v4 = [192, 0, 2, 7];

test.each([
  ['IPv4', v4, '192.0.2.7'],
  ['IPv4 in IPv6', [...new Array<number>(10).fill(0), 255, 255, ...v4], '192.0.2.7'],
  ['IPv6', [32, 1, 13, 184, ...new Array<number>(11).fill(0), 1], '20010db8000000000000000000000001'],
  ['IPv6 that ends like IPv4', [...new Array<number>(12).fill(0), ...v4], '000000000000000000000000c0000207'],
  ['nobody', [], ''],
])('%s', (_, bytes, text) => {
  expect(addressKey(addressOfBytes(Uint8Array.from(bytes)))).toBe(text);
});

test.each([
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:DB8::1', '20010db8000000000000000000000001'],
  ['2001:db8:0:0:0:0:0:1', '20010db8000000000000000000000001'],
  ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
  ['::', '0'.repeat(32)],
  ['unknown', 'unknown'],
])('%s is the key %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

function proxies(ranges: readonly string[], header: ProxyHeader = 'x-forwarded-for'): TrustedProxies {
  return new TrustedProxies({ header, ranges: ranges.flatMap((text) => parseProxyRange(text) ?? []) });
}

const inside = ['10.0.0.0/8', 'fd00::/8'];

describe('behind proxies', () => {
  test.each([
    // What no trusted proxy wrote may come from the client itself.
    ['nobody is trusted by default', [], '10.0.0.1', '192.0.2.7', '10.0.0.1'],
    ['a client that is no proxy', inside, '192.0.2.7', '203.0.113.9', '192.0.2.7'],
    ['one proxy', inside, '10.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['a client that claims another address', inside, '10.0.0.1', '203.0.113.9, 192.0.2.7', '192.0.2.7'],
    ['a chain of them', inside, '10.0.0.1', '203.0.113.9, 192.0.2.7, 10.0.0.2, fd00::3', '192.0.2.7'],
    ['all of them trusted', inside, '10.0.0.1', '10.0.0.3,10.0.0.2', '10.0.0.3'],
    ['no header', inside, '10.0.0.1', '', '10.0.0.1'],
    ['no address', inside, '10.0.0.1', '192.0.2.7, unknown', '10.0.0.1'],
    ['no address behind a second proxy', inside, '10.0.0.1', '192.0.2.7, <script>, 10.0.0.2', '10.0.0.2'],
    ['a port', inside, '10.0.0.1', '192.0.2.7:4711', '192.0.2.7'],
    ['IPv6 with a port', inside, 'fd00::1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['IPv4 in IPv6', inside, '10.0.0.1', '::ffff:192.0.2.7, ::ffff:10.0.0.2', '192.0.2.7'],
    ['a connection that is gone', inside, '', '192.0.2.7', ''],
  ])('%s', (_, ranges, remote, header, client) => {
    expect(proxies(ranges).clientOf(remote, () => header)).toBe(client);
  });

  test.each([
    ['for=192.0.2.7;proto=https;by=10.0.0.1', '192.0.2.7'],
    ['for=203.0.113.9, For="[2001:db8::1]:4711"', '2001:db8::1'],
    ['for=192.0.2.7, proto=https', '10.0.0.1'],
    ['for=_hidden', '10.0.0.1'],
    ['192.0.2.7', '10.0.0.1'],
  ])('Forwarded: %s', (header, client) => {
    expect(proxies(inside, 'forwarded').clientOf('10.0.0.1', () => header)).toBe(client);
  });

  test('a chain without end is not followed to its end', () => {
    const header = ['192.0.2.7', ...new Array<string>(40).fill('10.0.0.2')].join(',');
    expect(proxies(inside).clientOf('10.0.0.1', () => header)).toBe('10.0.0.2');
  });

  test.each(['', 'proxy', '10.0.0.0/33', '10.0.0.0/0', '::/0', '10.0.0.0/8/8', 'fe80::1%eth0', '10.0.0.0/x'])(
    'is no range: %s',
    (text) => {
      expect(parseProxyRange(text)).toBeUndefined();
    },
  );
});
