/**
 * Which version the rules of a rollout name for a caller, before any hash. Immutable, and made once for each rollout, so
 * that a request costs one look-up by key and one comparison for each rule about a header.
 *
 * Invariant: who is in both cohorts meets the stable version, and so does a caller whose headers are not known. A ban
 * holds in doubt.
 */
import type { Cohort, Cohorts } from '../../registry-store/manifest/cohorts.ts';
import type { Caller, HeaderValues } from './caller.ts';

/** `unknown`: a rule asks for a header that nobody looked for. Undefined: no rule says anything. */
export type CohortSide = 'candidate' | 'stable' | 'unknown' | undefined;

interface Members {
  readonly headers: Cohort['headers'];
  readonly keys: ReadonlySet<string>;
}

export class CohortTable {
  /** Names of the headers that have to be looked at, each once. */
  readonly headers: readonly string[];
  readonly #candidate: Members;
  readonly #stable: Members;

  constructor({ candidate, stable }: Cohorts) {
    this.headers = [...new Set([...candidate.headers, ...stable.headers].map(({ header }) => header))];
    this.#candidate = { headers: candidate.headers, keys: new Set(candidate.keys) };
    this.#stable = { headers: stable.headers, keys: new Set(stable.keys) };
  }

  sideOf({ key, headers }: Caller): CohortSide {
    if (isMember(this.#stable, key, headers)) return 'stable';
    for (const header of this.headers) if (headers?.get(header) === undefined) return 'unknown';
    return isMember(this.#candidate, key, headers) ? 'candidate' : undefined;
  }
}

function isMember(members: Members, key: string | undefined, headers: HeaderValues | undefined): boolean {
  if (key !== undefined && members.keys.has(key)) return true;
  for (const { header, value, isPrefix } of members.headers) {
    const said = headers?.get(header);
    if (said === undefined) continue;
    if (isPrefix ? said.startsWith(value) : said === value) return true;
  }
  return false;
}
