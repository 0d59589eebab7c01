/**
 * The memory that models share: what each version in it takes, what of them may go, and the looks at the clock that
 * `residency-table.ts` has none for. It says which versions go; taking them out is the work of resident-versions.ts.
 */
import { performance } from 'node:perf_hooks';
import type { WorkerPool } from '../../runtime/pool/worker-pool.ts';
import type { Limits } from '../admission/limits.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import { type Hold, type Reading, ResidencyTable } from '../residency/residency-table.ts';

export interface ModelMemoryOptions {
  readonly pool: Pick<WorkerPool, 'replicasOf' | 'spare'>;
  readonly limits: Pick<Limits, 'modelIdleMsMax' | 'modelChurnMsMin'>;
  /** What all versions may take together, bytes; undefined for no limit. */
  readonly bytesMax: number | undefined;
  /** Models whose live version never leaves. */
  readonly pinned: ReadonlySet<string>;
  /** Whether something that is no request counts on it: an open sequence. */
  readonly isUsed: (generation: ModelGeneration) => boolean;
}

/**
 * `rollout`: traffic is divided between it and others, or it waits for that. `spare`: kept beside the live one for a
 * rollback. `retired`: no route leads to it.
 */
export type VersionRole = 'live' | 'rollout' | 'spare' | 'retired';

interface Entry {
  readonly generation: ModelGeneration;
  readonly loadedMs: number;
  role: VersionRole;
}

/** Room, and which versions have to go for it; or when there may be some. */
export type MemoryRoom =
  | { readonly kind: 'room'; readonly evict: readonly ModelGeneration[] }
  | { readonly kind: 'later'; readonly atMs: number };

export class ModelMemory {
  readonly bytesMax: number | undefined;
  readonly #options: ModelMemoryOptions;
  readonly #table: ResidencyTable;
  /** By session. */
  readonly #entries = new Map<number, Entry>();

  constructor(options: ModelMemoryOptions) {
    const { bytesMax, limits } = options;
    const { modelChurnMsMin: churnMsMin, modelIdleMsMax: idleMsMax } = limits;
    this.bytesMax = bytesMax;
    this.#options = options;
    this.#table = new ResidencyTable({ bytesMax, churnMsMin, idleMsMax });
  }

  /** What is taken now, bytes. */
  get bytes(): number {
    this.#observe();
    return this.#table.bytes;
  }

  /** What the thread takes that is kept for the next load: what it holds of them once more, bytes. Not in `bytes`. */
  get keptBytes(): number {
    const sessions = [...(this.#options.pool.spare.kept?.sessions ?? [])];
    return sessions.reduce((sum, key) => sum + (this.#entries.get(key)?.generation.bytesPerReplica ?? 0), 0);
  }

  /** What a version takes now on all of its threads together, bytes; 0 for one that is not in memory. */
  bytesOf({ session, bytesPerReplica }: ModelGeneration): number {
    return bytesPerReplica * this.#options.pool.replicasOf(session);
  }

  /** Of every version in memory, those that only answer their last requests too; several generations of one may be. */
  *taken(): Generator<{ readonly generation: ModelGeneration; readonly bytes: number }> {
    for (const { generation } of this.#entries.values())
      yield { generation, bytes: this.bytesOf(generation) };
  }

  /**
   * Before so many bytes more are loaded, and after: the thread that is kept goes where they, all versions and it are more than
   * the bound. It only saves time, so nothing else is evicted, refused or cut for it.
   */
  async makeWay(bytes: number): Promise<void> {
    const { keptBytes } = this;
    if (keptBytes > 0 && this.bytes + keptBytes + bytes > (this.bytesMax ?? Infinity))
      await this.#options.pool.spare.endKept('its memory is needed');
  }

  get pinned(): readonly string[] {
    return [...this.#options.pinned];
  }

  isPinned(model: string): boolean {
    return this.#options.pinned.has(model);
  }

  /** `isAsked`: for a request, and not ahead of any. */
  enter(generation: ModelGeneration, isAsked: boolean): void {
    const nowMs = performance.now();
    this.#entries.set(generation.session, { generation, loadedMs: nowMs, role: 'live' });
    this.#table.enter(generation.session, { bytes: this.bytesOf(generation), isAsked, nowMs });
  }

  assign(generation: ModelGeneration, role: VersionRole): void {
    const entry = this.#entries.get(generation.session);
    if (entry !== undefined) entry.role = role;
  }

  leave({ session }: ModelGeneration): void {
    this.#entries.delete(session);
    this.#table.leave(session);
  }

  /** For so many bytes more; `keep` does not go for them. */
  room(
    bytes: number,
    { isAsked, keep }: { readonly isAsked: boolean; readonly keep?: ModelGeneration | undefined },
  ): MemoryRoom {
    this.#observe(keep);
    const room = this.#table.makeRoom(bytes, { isAsked, nowMs: performance.now() });
    return room.kind === 'later' ? room : { kind: 'room', evict: this.#generations(room.evict) };
  }

  /** Those that nobody asked for in a long time. */
  idle(): readonly ModelGeneration[] {
    this.#observe();
    return this.#generations(this.#table.idle(performance.now()));
  }

  /** Whether nothing holds it: neither a rollout nor work under way. */
  mayGo({ session }: ModelGeneration): boolean {
    const entry = this.#entries.get(session);
    return entry !== undefined && this.#holdOf(entry) === undefined;
  }

  /** On how many threads a version may be, beside the others that are here; Infinity for as many as there are. */
  affordable(generation: ModelGeneration): number {
    if (this.bytesMax === undefined) return Infinity;
    const others = this.bytes - (this.#entries.has(generation.session) ? this.bytesOf(generation) : 0);
    return Math.max(1, Math.floor((this.bytesMax - others) / Math.max(1, generation.bytesPerReplica)));
  }

  #generations(sessions: readonly number[]): readonly ModelGeneration[] {
    return sessions.flatMap((session) => this.#entries.get(session)?.generation ?? []);
  }

  #observe(keep?: ModelGeneration): void {
    this.#table.observe([...this.#entries.values()].map((entry) => this.#reading(entry, keep)));
  }

  #reading(entry: Entry, keep: ModelGeneration | undefined): Reading {
    const { generation, loadedMs, role } = entry;
    const { metrics } = generation;
    return {
      key: generation.session,
      bytes: this.bytesOf(generation),
      // Read for every batch and every answer of the cache anyway, so that nothing is added where requests go by.
      usedMs: Math.max(loadedMs, metrics.lastBatchMs ?? 0, metrics.cache.lastHitMs ?? 0),
      hold: generation === keep ? 'rollout' : this.#holdOf(entry),
      isSpare: role === 'spare',
    };
  }

  #holdOf({ generation, role }: Entry): Hold | undefined {
    if (role === 'retired') return 'leaving';
    if (role === 'rollout') return 'rollout';
    if (role === 'live' && this.isPinned(generation.modelName)) return 'pinned';
    // What is in quarantine stays, because leaving would end that.
    const isWorking = generation.inflight > 0 || generation.refusal !== undefined;
    return isWorking || this.#options.isUsed(generation) ? 'working' : undefined;
  }
}
