/** What rollouts ask of a request, from its head: its key, where the operator said to look, and headers that rules name. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { HeaderValues } from '../route/caller.ts';
import { findKey, type HeadKeySource } from '../route/routing-key.ts';

/** Only while the library's handler runs. */
export function routingKey(
  req: HttpRequest,
  res: HttpResponse,
  sources: readonly HeadKeySource[],
): string | undefined {
  return findKey(sources, {
    header: (name) => req.getHeader(name),
    query: (name) => req.getQuery(name) ?? '',
    address: () => addressText(new Uint8Array(res.getRemoteAddress())),
  });
}

const noValues: HeaderValues = new Map();

/** The headers of these names. Only while the library's handler runs. */
export function headerValues(req: HttpRequest, names: readonly string[]): HeaderValues {
  if (names.length === 0) return noValues;
  return new Map(names.map((name) => [name, req.getHeader(name)]));
}

/**
 * Four or sixteen bytes as text; '' when the connection is gone. The same client must have the same key whether the gateway
 * listens on IPv4 alone or on both, where the system writes an IPv4 address into the end of an IPv6 one.
 */
export function addressText(bytes: Uint8Array): string {
  const isMapped =
    bytes.length === 16 && bytes.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff));
  const v4 = isMapped ? bytes.subarray(12) : bytes;
  return v4.length === 4 ? v4.join('.') : Buffer.from(bytes).toString('hex');
}
