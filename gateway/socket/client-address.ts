/**
 * Whose address a request comes from: the one home of that question, for routing keys, bounds of callers, and the limits and
 * the audit of the control API. It is the other end of the connection, unless that is a proxy which the operator trusts:
 * then it is the last address in its header that is no such proxy, read from the right, because everything left of what a
 * trusted proxy wrote may come from the client itself.
 */
import { BlockList, isIP } from 'node:net';

/** Only one of them is believed: what a proxy does not set, its client may. */
export const proxyHeaders = ['x-forwarded-for', 'forwarded'] as const;
export type ProxyHeader = (typeof proxyHeaders)[number];

export interface ProxyRange {
  readonly address: string;
  /** Leading bits that count. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

export interface ProxyTrust {
  readonly ranges: readonly ProxyRange[];
  readonly header: ProxyHeader;
}

/** Longer chains are not followed: what is left of them is not looked at. */
const hopsMax = 32;

/** `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`; undefined for anything else, and for a range of everybody. */
export function parseProxyRange(text: string): ProxyRange | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : 0;
  if (prefix < 1 || prefix > bits) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

export class TrustedProxies {
  /** The name of the header that counts, in lower case. */
  readonly header: ProxyHeader;
  readonly #ranges: BlockList | undefined;

  /** Without ranges nobody is trusted. */
  constructor({ ranges, header }: ProxyTrust = { ranges: [], header: 'x-forwarded-for' }) {
    this.header = header;
    if (ranges.length === 0) return;
    this.#ranges = new BlockList();
    for (const { address, prefix, family } of ranges) this.#ranges.addSubnet(address, prefix, family);
  }

  /**
   * The address of the client. `remote` is that of the other end of the connection, '' when it is gone; `forwarded` gives all
   * that stands in the header, its lines joined by commas, and is only asked when it is believed.
   */
  clientOf(remote: string, forwarded: () => string): string {
    if (this.#ranges === undefined || !this.#trusts(remote)) return remote;
    let client = remote;
    const hops = forwarded().split(',');
    for (let hop = hops.length - 1; hop >= Math.max(0, hops.length - hopsMax); hop -= 1) {
      const address = this.#addressIn(hops[hop] ?? '');
      // A proxy that does not say from whom it has it: all that is known for sure is the proxy.
      if (address === undefined) return client;
      client = address;
      if (!this.#trusts(client)) return client;
    }
    return client;
  }

  #trusts(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#ranges?.check(address, version === 4 ? 'ipv4' : 'ipv6') === true;
  }

  #addressIn(element: string): string | undefined {
    if (this.header === 'x-forwarded-for') return addressOf(element.trim());
    // RFC 7239: parameters between semicolons, the value maybe in quotes.
    for (const parameter of element.split(';')) {
      const [, value] = /^\s*for\s*=\s*"?([^"]*?)"?\s*$/i.exec(parameter) ?? [];
      if (value !== undefined) return addressOf(value);
    }
    return undefined;
  }
}

/** Without a port and brackets. */
function addressOf(node: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d{1,5})?|([\d.]+)(?::\d{1,5})?)$/.exec(node) ?? [];
  const address = unmapped(bracketed ?? plain ?? node);
  return isIP(address) === 0 || address.includes('%') ? undefined : address;
}

/** An IPv4 address that the system wrote into the end of an IPv6 one. */
export function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** Four or sixteen bytes as text; '' when the connection is gone. */
export function addressOfBytes(bytes: Uint8Array): string {
  const isMapped =
    bytes.length === 16 && bytes.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff));
  const v4 = isMapped ? bytes.subarray(12) : bytes;
  if (v4.length === 4) return v4.join('.');
  return (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
}

/**
 * An address as a key, one text for each: IPv4 as it is, also within IPv6, and IPv6 as 32 hex digits. The same client must have
 * the same key whether the gateway listens on IPv4 alone or on both. What is no address stays as it is.
 */
export function addressKey(address: string): string {
  const plain = unmapped(address);
  if (isIP(plain) !== 6 || plain.includes('%')) return plain;
  // Of all ways to write it the one with hex digits and one gap.
  const [head = '', tail] = new URL(`http://[${plain}]/`).hostname.slice(1, -1).split('::');
  const [left, right] = [head, tail ?? ''].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0');
  return [...(left ?? []), ...zeros, ...(right ?? [])].map((group) => group.padStart(4, '0')).join('');
}
