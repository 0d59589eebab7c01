/**
 * How fresh what a node serves is, and what stands in the way. A node goes on serving the last good state whatever
 * happens; this is where it says so.
 */
import type { StoreErrorCode } from '../store-error.ts';
import type { StoreCheck } from '../trust/check.ts';
import { metadataFile } from '../trust/store-file.ts';
import { type VerifiedMetadata, timeText } from './verified-metadata.ts';

export interface StoreTrouble {
  readonly code: StoreErrorCode;
  /** Set when the code is STORE_REFUSED. */
  readonly check?: StoreCheck;
  readonly message: string;
  /** Since when, milliseconds since 1970. */
  readonly atMs: number;
}

export interface StoreCondition {
  /** The source shows the state that is served, and nothing in that state has expired. */
  readonly fresh: boolean;
  /** When signatures and expiry of all that is served were last checked against the source; 0 before the first time. */
  readonly lastVerifiedAtMs: number;
  /** Why the source's state is not the one that is served; undefined when it is. */
  readonly lastError?: StoreTrouble;
  /** When the signed metadata expires, `YYYY-MM-DDThh:mm:ssZ` by role; the roles of single models as one, the first. */
  readonly expires: ReadonlyMap<string, string>;
  /** Roles of which less than a quarter of the signed lifetime is left; those of single models by their own names. */
  readonly expiresSoon: readonly string[];
}

/** For how long a role was signed, seconds: from signing to `expires`. */
const lifetimeField = 'x-tidegate-lifetime-s';

/** The name under which the roles of single models are summed up. */
export const modelRoles = 'models-*';

/** More names than this are cut off: the list is for people. */
const namedMax = 20;

/** A state as far as its age is concerned. */
export interface Lifetimes {
  readonly expires: ReadonlyMap<string, string>;
  /** When less than a quarter of its life is left, by role; text like `expires`. */
  readonly warnAt: ReadonlyMap<string, string>;
}

/** `seenAtMs` stands in for the time of signing where a file does not say for how long it was signed. */
export function lifetimesOf(metadata: VerifiedMetadata, seenAtMs: number): Lifetimes {
  const expires = new Map<string, string>();
  const warnAt = new Map<string, string>();
  for (const [role, { version, expires: at }] of metadata.roles) {
    const name = role.startsWith('models-') ? modelRoles : role;
    const before = expires.get(name);
    if (before === undefined || at < before) expires.set(name, at);
    const lifetimeMs = signedLifetimeMs(metadata, { role, version }) ?? Date.parse(at) - seenAtMs;
    warnAt.set(role, timeText(Date.parse(at) - Math.max(0, lifetimeMs) / 4));
  }
  return { expires, warnAt };
}

export function conditionOf(facts: {
  readonly lifetimes: Lifetimes;
  readonly nowMs: number;
  readonly lastVerifiedAtMs: number;
  readonly lastError: StoreTrouble | undefined;
}): StoreCondition {
  const { lifetimes, lastError, lastVerifiedAtMs } = facts;
  const now = timeText(facts.nowMs);
  const soon = [...lifetimes.warnAt].filter(([, at]) => at <= now).map(([role]) => role);
  return {
    fresh: lastError === undefined && ![...lifetimes.expires.values()].some((at) => at <= now),
    lastVerifiedAtMs,
    ...(lastError === undefined ? {} : { lastError }),
    expires: lifetimes.expires,
    expiresSoon: soon.slice(0, namedMax),
  };
}

/** Whether somebody should be told: the time of the last look alone is no news. */
export function isSameCondition(one: StoreCondition, other: StoreCondition): boolean {
  return (
    one.fresh === other.fresh &&
    one.lastError?.message === other.lastError?.message &&
    one.expiresSoon.join() === other.expiresSoon.join() &&
    [...one.expires].join() === [...other.expires].join()
  );
}

/** Parsed once for as long as a role stays the same file. */
const knownLifetimes = new WeakMap<Uint8Array, { readonly ms: number | undefined }>();

function signedLifetimeMs(
  metadata: VerifiedMetadata,
  { role, version }: { readonly role: string; readonly version: number },
): number | undefined {
  const bytes = metadata.files.get(metadataFile(role, version));
  if (bytes === undefined) return undefined;
  const known = knownLifetimes.get(bytes) ?? { ms: readLifetimeMs(bytes) };
  knownLifetimes.set(bytes, known);
  return known.ms;
}

/** Of a file that was verified: a field that TUF does not know and keeps. */
function readLifetimeMs(bytes: Uint8Array): number | undefined {
  const { signed } = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
    readonly signed: { readonly [lifetimeField]?: unknown };
  };
  const seconds = signed[lifetimeField];
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
}
