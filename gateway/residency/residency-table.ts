/**
 * Which versions are in memory, and which of them go when there is not enough of it or when nobody asks for them. A state
 * machine without a clock: whoever calls says what time it is, and carries out what is answered.
 *
 * Invariants: what is held (pinned, in a rollout, with work under way, leaving) never goes; what was loaded for a request
 * stays for `churnMsMin`, so that a working set larger than the memory ends in refusals and not in endless loads; no more
 * goes than is needed. What the library does by itself, throwing out the oldest, is not used: it knows no entry that may not go.
 */
import { LRUCache } from 'lru-cache';

export interface ResidencyRules {
  /** What all versions may take together, bytes; undefined for no limit. */
  readonly bytesMax: number | undefined;
  /** Milliseconds for which a version stays that was loaded for a request. 0 for not at all. */
  readonly churnMsMin: number;
  /** Milliseconds without a request after which a version goes; 0 for never. */
  readonly idleMsMax: number;
}

/** Why a version must stay for now. `leaving` is one that no route leads to, with requests that are not answered yet. */
export type Hold = 'pinned' | 'rollout' | 'working' | 'leaving';

/** What is true of a version in memory at the moment of a decision. */
export interface Reading {
  /** As given to `enter`. */
  readonly key: number;
  readonly bytes: number;
  /** When it answered last, from the response cache too, or was loaded. */
  readonly usedMs: number;
  readonly hold: Hold | undefined;
  /** Kept for a rollback only: the first to go. */
  readonly isSpare: boolean;
}

interface Resident extends Reading {
  readonly loadedMs: number;
  /** Loaded because a request asked for it, and not ahead of any. */
  readonly isAsked: boolean;
}

export type Room =
  /** There is room once these are gone. */
  | { readonly kind: 'room'; readonly evict: readonly number[] }
  /** Not before `atMs`, as far as can be foreseen; Infinity when nothing that is held now can be waited for. */
  | { readonly kind: 'later'; readonly atMs: number };

/** What has work under way is done soon, but nobody knows when. Milliseconds. */
const workMsGuess = 100;

export class ResidencyTable {
  readonly #rules: ResidencyRules;
  /** From the one that was used last to the one that was not used for longest; weighs what they take. */
  readonly #residents = new LRUCache<number, Resident>({ maxSize: Number.MAX_SAFE_INTEGER });

  constructor(rules: ResidencyRules) {
    this.#rules = rules;
  }

  /** Of all versions together. */
  get bytes(): number {
    return this.#residents.calculatedSize;
  }

  get size(): number {
    return this.#residents.size;
  }

  /** A version is loaded. `nowMs` counts as its first use. */
  enter(
    key: number,
    { bytes, isAsked, nowMs }: { readonly bytes: number; readonly isAsked: boolean; readonly nowMs: number },
  ): void {
    const fresh = { key, bytes, usedMs: nowMs, loadedMs: nowMs, isAsked, hold: undefined, isSpare: false };
    this.#put(fresh);
  }

  leave(key: number): void {
    this.#residents.delete(key);
  }

  /** Takes note of what is true now; to be done before anything is decided. */
  observe(readings: Iterable<Reading>): void {
    const seen: Resident[] = [];
    for (const reading of readings) {
      const known = this.#residents.peek(reading.key);
      if (known !== undefined) seen.push({ ...known, ...reading });
    }
    for (const resident of seen.sort((left, right) => left.usedMs - right.usedMs)) this.#put(resident);
  }

  /**
   * Room for so many bytes more. Who loads ahead of requests (`isAsked` false) takes nothing from a version that is new here:
   * a start with more models than fit would otherwise load each of them to throw it out again.
   */
  makeRoom(bytes: number, { isAsked, nowMs }: { readonly isAsked: boolean; readonly nowMs: number }): Room {
    const needed = this.bytes + bytes - (this.#rules.bytesMax ?? Infinity);
    if (needed <= 0) return { kind: 'room', evict: [] };
    const order = this.#byPreference();
    const free = order.filter((resident) => this.#freeAtMs(resident, { isAsked, nowMs }) <= nowMs);
    const chosen = enough(free, needed);
    if (chosen !== undefined) return { kind: 'room', evict: chosen.map(({ key }) => key) };
    const byTime = order
      .map(({ key, bytes: freed, ...rest }) => {
        return { bytes: freed, atMs: this.#freeAtMs({ key, bytes: freed, ...rest }, { isAsked, nowMs }) };
      })
      .sort((left, right) => left.atMs - right.atMs);
    let freed = 0;
    const last = byTime.find((each) => (freed += each.bytes) >= needed);
    return { kind: 'later', atMs: last?.atMs ?? Infinity };
  }

  /** Those that nobody asked for during `idleMsMax`; what was loaded ahead of requests has no other time to stay. */
  idle(nowMs: number): readonly number[] {
    const { idleMsMax, churnMsMin } = this.#rules;
    if (idleMsMax === 0) return [];
    return this.#byPreference()
      .filter(({ hold, usedMs }) => hold === undefined && nowMs - usedMs >= idleMsMax)
      .filter(({ isAsked, loadedMs }) => !isAsked || nowMs - loadedMs >= churnMsMin)
      .map(({ key }) => key);
  }

  /** What is kept for a rollback first, and then what was not used for longest. */
  #byPreference(): readonly Resident[] {
    const all = [...this.#residents.rvalues()].filter((each) => each !== undefined);
    return [...all.filter(({ isSpare }) => isSpare), ...all.filter(({ isSpare }) => !isSpare)];
  }

  /** From when on it may go to make room. */
  #freeAtMs(
    { hold, isSpare, isAsked, loadedMs, usedMs }: Resident,
    newcomer: { readonly isAsked: boolean; readonly nowMs: number },
  ): number {
    if (hold === 'pinned' || hold === 'rollout') return Infinity;
    // Loaded on the chance that somebody asks, which so far nobody did.
    const isUnasked = !isAsked && usedMs <= loadedMs;
    const isUnneeded = (isSpare && !isAsked) || (newcomer.isAsked && isUnasked);
    const freeAtMs = isUnneeded ? newcomer.nowMs : loadedMs + this.#rules.churnMsMin;
    return hold === undefined ? freeAtMs : Math.max(freeAtMs, newcomer.nowMs + workMsGuess);
  }

  /** Behind all others: as the one that was used last. */
  #put(resident: Resident): void {
    this.#residents.set(resident.key, resident, { size: Math.max(1, Math.ceil(resident.bytes)) });
  }
}

/** Of these, in this order, no more than it takes to free so many bytes; undefined when all together are not enough. */
function enough(residents: readonly Resident[], needed: number): readonly Resident[] | undefined {
  let freed = 0;
  const last = residents.findIndex(({ bytes }) => (freed += bytes) >= needed);
  if (last < 0) return undefined;
  const chosen = new Set(residents.slice(0, last + 1));
  // A large one at the end may make smaller ones before it needless: those that were used last are kept first.
  for (const resident of residents.slice(0, last).reverse()) {
    if (freed - resident.bytes < needed) continue;
    freed -= resident.bytes;
    chosen.delete(resident);
  }
  return [...chosen];
}
