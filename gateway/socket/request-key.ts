/** What rollouts ask of a request, from its head: its key, where the operator said to look, and headers that rules name. */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { HeaderValues } from '../route/caller.ts';
import { addressKey, addressOfBytes, type TrustedProxies } from './client-address.ts';
import { findKey, type HeadKeySource } from '../route/routing-key.ts';

/** Only while the library's handler runs. */
export function routingKey(
  req: HttpRequest,
  res: HttpResponse,
  { sources, proxies }: { readonly sources: readonly HeadKeySource[]; readonly proxies: TrustedProxies },
): string | undefined {
  return findKey(sources, {
    header: (name) => req.getHeader(name),
    query: (name) => req.getQuery(name) ?? '',
    address: () =>
      addressKey(
        proxies.clientOf(addressOfBytes(new Uint8Array(res.getRemoteAddress())), () =>
          linesOf(req, proxies.header),
        ),
      ),
  });
}

/** All lines of a header: the library's look-up gives the first, which may be the client's own. */
function linesOf(req: HttpRequest, wanted: string): string {
  const lines: string[] = [];
  req.forEach((name, value) => {
    if (name === wanted) lines.push(value);
  });
  return lines.join(',');
}

const noValues: HeaderValues = new Map();

/** The headers of these names. Only while the library's handler runs. */
export function headerValues(req: HttpRequest, names: readonly string[]): HeaderValues {
  if (names.length === 0) return noValues;
  return new Map(names.map((name) => [name, req.getHeader(name)]));
}
