/** The key of a request for rollouts, from its headers and query, where the operator said to look. */
import type { HttpRequest } from 'uWebSockets.js';
import { findKey, type KeySource } from '../route/routing-key.ts';

/** Only while the library's handler runs. */
export function routingKey(req: HttpRequest, sources: readonly KeySource[]): string | undefined {
  return findKey(sources, {
    header: (name) => req.getHeader(name),
    query: (name) => req.getQuery(name) ?? '',
  });
}
