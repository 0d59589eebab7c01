/**
 * Who may choose the version that answers with the header `x-model-version`. The version in a path or in a frame of a
 * WebSocket is part of the address and not asked about here.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpRequest } from 'uWebSockets.js';

export const forcePolicies = ['any', 'none', 'token'] as const;

/** Anybody, nobody, or who sends the secret whose SHA-256 this is. */
export type ForcePolicy = 'any' | 'none' | { readonly tokenSha256: Uint8Array };

const tokenHeader = Buffer.from('x-force-token');

export class ForcePermission {
  readonly #policy: ForcePolicy;

  constructor(policy: ForcePolicy) {
    this.#policy = policy;
  }

  /** Asked only for requests with the header. Only while the library's handler runs. */
  allows(req: Pick<HttpRequest, 'getHeader'>): boolean {
    if (typeof this.#policy === 'string') return this.#policy === 'any';
    const sent = createHash('sha256').update(req.getHeader(tokenHeader)).digest();
    return timingSafeEqual(sent, this.#policy.tokenSha256);
  }
}
