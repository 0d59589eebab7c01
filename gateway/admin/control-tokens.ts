/**
 * Bearer tokens: who may ask for what. A token is 256 random bits, so its SHA-256 is safe to keep and nothing slower is
 * needed; the token itself is shown once and kept nowhere. Everything here is values; the file is in token-file.ts.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type ControlResult, accepted, refuse } from './control-error.ts';

export const scopes = ['read', 'deploy', 'publish', 'admin'] as const;

/** `deploy` and `publish` may read as well, `admin` may do everything. */
export type Scope = (typeof scopes)[number];

export interface TokenEntry {
  readonly name: string;
  /** Of the token as it is sent, lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** ISO 8601 in UTC. */
  readonly createdAt: string;
  /** The same; without it the token does not expire. */
  readonly expiresAt?: string;
}

/** Makes a leaked token easy to find for those who look through code and logs. */
const prefix = 'tgt_';
const randomByteCount = 32;

export const tokenNameRule: RegExp = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

export interface NewToken {
  /** Never to be kept by whoever made it. */
  readonly token: string;
  readonly entry: TokenEntry;
}

/** `lifetimeMs` undefined makes one that does not expire. */
export function makeToken(facts: {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly nowMs: number;
  readonly lifetimeMs: number | undefined;
}): NewToken {
  const { name, nowMs, lifetimeMs } = facts;
  const token = prefix + randomBytes(randomByteCount).toString('base64url');
  const entry: TokenEntry = {
    name,
    sha256: createHash('sha256').update(token).digest('hex'),
    scopes: scopes.filter((scope) => facts.scopes.includes(scope)),
    createdAt: new Date(nowMs).toISOString(),
    ...(lifetimeMs !== undefined && { expiresAt: new Date(nowMs + lifetimeMs).toISOString() }),
  };
  return { token, entry };
}

/**
 * The entry of the token in an Authorization header. Every entry is compared, each in constant time, so that how long
 * it takes says nothing. Codes: UNAUTHENTICATED, TOKEN_EXPIRED.
 */
export function findToken(
  entries: readonly TokenEntry[],
  authorization: string,
  nowMs: number,
): ControlResult<TokenEntry> {
  const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
  if (token === undefined) {
    return unauthenticated('Send a token: the header "Authorization: Bearer <token>".', 'invalid_request');
  }
  const digest = createHash('sha256').update(token).digest();
  let found: TokenEntry | undefined;
  for (const entry of entries) {
    if (timingSafeEqual(digest, Buffer.from(entry.sha256, 'hex'))) found = entry;
  }
  if (found === undefined) return unauthenticated('This node does not know the token.', 'invalid_token');
  if (found.expiresAt !== undefined && Date.parse(found.expiresAt) <= nowMs) {
    const message = `The token expired at ${found.expiresAt}. Make another one with tidegate token create.`;
    return { ...refuse('TOKEN_EXPIRED', message), headers: challenge('invalid_token') };
  }
  return accepted(found);
}

export function mayUse(entry: TokenEntry, scope: Scope): boolean {
  if (entry.scopes.includes('admin') || entry.scopes.includes(scope)) return true;
  return scope === 'read' && entry.scopes.length > 0;
}

function unauthenticated(message: string, error: string): ReturnType<typeof refuse> {
  return { ...refuse('UNAUTHENTICATED', message), headers: challenge(error) };
}

/** RFC 6750 section 3. */
function challenge(error: string): Readonly<Record<string, string>> {
  const details = error === 'invalid_request' ? '' : `, error="${error}"`;
  return { 'www-authenticate': `Bearer realm="tidegate control"${details}` };
}
