/**
 * Gets versions into memory and out of it: loads what is wanted within the memory that models may take, makes room by
 * taking out what may go, and leaves a dormant generation in the place of what is not in memory.
 *
 * Invariants: a generation becomes dormant in the step in which nothing holds it; versions that are loaded take no more than
 * the memory for models, as far as it is known before; one load at a time, because whoever calls waits for each.
 */
import { performance } from 'node:perf_hooks';
import type { VersionMetadata } from '../../registry-store/main.ts';
import type { DeploymentResources } from '../../registry-store/manifest/deployment.ts';
import type { Limits } from '../admission/limits.ts';
import type { ModelGeneration } from '../dispatch/model-generation.ts';
import { GenerationLoader, type GenerationLoaderOptions, type NotLoaded } from './generation-loader.ts';
import type { MemoryRoom, ModelMemory } from './model-memory.ts';
import type { LiveReplicas } from './replicas/live-replicas.ts';
import { replicaDemand } from './replicas/replica-demand.ts';
import type { ServedVersion } from './served-version.ts';

export interface ResidentVersionsOptions extends GenerationLoaderOptions {
  readonly memory: ModelMemory;
  readonly replicas: Pick<
    LiveReplicas,
    'fit' | 'refit' | 'lacksMemory' | 'forget' | 'lentBytes' | 'giveBack'
  >;
  readonly limits: Pick<Limits, 'modelIdleMsMax' | 'requestBytesMax'>;
  /** Called for a generation that no request holds any more, before it is unloaded. */
  readonly forget: (generation: ModelGeneration) => void;
  /** Memory came free that others may have. */
  readonly freed: () => void;
}

/**
 * Why a version is wanted. `ahead`: it is deployed; where there is no room it waits for its first request. `spare`: for a
 * rollback. `held`: traffic is about to be divided, or it is pinned; it has to be in memory. `asked`:
 * requests wait for it.
 */
type Want = 'ahead' | 'spare' | 'held' | 'asked';

export interface WantedVersion {
  readonly version: ServedVersion;
  readonly resources: DeploymentResources | undefined;
  readonly want: Want;
  /** What there is of the version, in memory or dormant. */
  readonly known: ModelGeneration | undefined;
  /** What serves the model now; it stays while another is loaded, if there is a way. */
  readonly serving: ModelGeneration | undefined;
}

/** How often versions that nobody asks for are looked for, milliseconds; more often where they may stay for less. */
const sweepMsMax = 1000;
const sweepMsMin = 50;

export class ResidentVersions {
  readonly #options: ResidentVersionsOptions;
  readonly #loader: GenerationLoader;
  /** By digest, those that do not fit even alone. */
  readonly #tooLarge = new Map<string, NotLoaded>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ResidentVersionsOptions) {
    const { modelIdleMsMax } = options.limits;
    this.#options = options;
    this.#loader = new GenerationLoader(options);
    if (modelIdleMsMax === 0) return;
    const sweepMs = Math.min(Math.max(modelIdleMsMax / 4, sweepMsMin), sweepMsMax);
    this.#timer = setInterval(() => {
      for (const generation of options.memory.idle()) this.#evict(generation, 'idle');
    }, sweepMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * How long requests for a dormant version have to wait, as far as can be foreseen, milliseconds: until the load under way
   * and those of `awaited` are over, or until there is room where that takes longer, and its own load.
   */
  expectedMs({ sha256, bytesPerReplica }: ModelGeneration, awaited: readonly ModelGeneration[]): number {
    const { memory } = this.#options;
    const bytes = bytesPerReplica - this.#returnable(bytesPerReplica);
    const room = memory.room(bytes, { isAsked: true });
    const waitMs = room.kind === 'room' ? 0 : Math.max(0, room.atMs - performance.now());
    const beforeMs = awaited.reduce(
      (sum, other) => sum + this.#loader.expectedMs(other.sha256),
      this.#loader.remainingMs,
    );
    return Math.max(waitMs, beforeMs) + this.#loader.expectedMs(sha256);
  }

  /** The generation of a version, in memory or dormant, or why there is none. */
  async obtain(wanted: WantedVersion): Promise<ModelGeneration | NotLoaded> {
    const { version, resources, want, known, serving } = wanted;
    const { replicas } = this.#options;
    const generation = known?.sha256 === version.artifact.sha256 ? known : undefined;
    if (generation?.isDormant === false) {
      this.#hold(generation, want);
      await replicas.fit(generation, resources);
      return generation;
    }
    const mayWait = want === 'ahead' || want === 'spare';
    if (generation !== undefined && mayWait) return generation;
    const outcome = await this.#load(wanted);
    if (!('reason' in outcome) || outcome.roomAtMs === undefined || !mayWait) return outcome;
    // Where something else serves, better that than a version of which nobody knows whether it loads.
    const isServed = serving !== undefined && serving.modelVersion !== version.version;
    return want === 'ahead' && isServed ? outcome : this.#loader.dormant(version);
  }

  /** On as many threads as it is to have by now. */
  async refit(generation: ModelGeneration, resources: DeploymentResources | undefined): Promise<void> {
    if (!generation.isDormant) await this.#options.replicas.fit(generation, resources);
  }

  /**
   * What is only kept for a rollback goes where another version has fewer replicas than it should for lack of memory. False
   * where it should and cannot now.
   */
  async giveWay(spare: ModelGeneration, other: ModelGeneration): Promise<boolean> {
    const { memory, replicas } = this.#options;
    if (spare.isDormant || spare === other || !replicas.lacksMemory(other)) return true;
    if (!memory.mayGo(spare)) return false;
    this.#evict(spare, 'room');
    await replicas.refit(other);
    return true;
  }

  /** No route leads to it any more. Resolves when its last request let go and it is out of memory. */
  async retire(generation: ModelGeneration): Promise<void> {
    if (generation.isDormant) return;
    const { memory, pool, log } = this.#options;
    memory.assign(generation, 'retired');
    await generation.drained();
    this.#forget(generation);
    await pool.unload(generation.session);
    this.#freed();
    const { modelName: model, modelVersion: version } = generation;
    log.info({ model, version }, 'version released');
  }

  /** Why a version cannot be loaded whatever is tried, as far as is known. */
  refusalToLoad(version: ServedVersion): NotLoaded | undefined {
    return this.#loader.refusalOf(version) ?? this.refusalOf(version.artifact);
  }

  /** Why no request and no deployment can bring it into memory here; undefined when one may. */
  refusalOf(artifact: VersionMetadata['artifact']): NotLoaded | undefined {
    const known = this.#tooLarge.get(artifact.sha256);
    if (known !== undefined) return known;
    const bytes = this.#loader.bytesPerReplica(artifact);
    const { bytesMax = Infinity } = this.#options.memory;
    return bytes > bytesMax ? neverFits(bytes, bytesMax) : undefined;
  }

  async #load({ version, resources, want, serving }: WantedVersion): Promise<ModelGeneration | NotLoaded> {
    const { artifact } = version;
    const refusal = this.refusalToLoad(version);
    if (refusal !== undefined) return refusal;
    const bytesPerReplica = this.#loader.bytesPerReplica(artifact);
    if (want !== 'spare') await this.#options.replicas.giveBack(this.#returnable(bytesPerReplica));
    const plan = this.#plan({ resources, bytesPerReplica, want, serving });
    if (plan.room.kind === 'later') return noRoom(plan.room.atMs);
    for (const generation of plan.room.evict) this.#evict(generation, 'room');
    const { memory } = this.#options;
    await memory.makeWay(plan.affordable * bytesPerReplica);
    const generation = await this.#loader.load(version, resources, {
      affordable: plan.affordable,
      isAwaited: want === 'asked',
    });
    if ('reason' in generation) return generation;
    memory.enter(generation, want === 'asked');
    // The load may have left a thread behind, and the version take more than was known.
    await memory.makeWay(0);
    this.#hold(generation, want);
    return this.#settle(generation, { artifact, resources, want });
  }

  /** What of the memory that replicas were lent makes the room for so many bytes; none where that is not enough alone. */
  #returnable(bytes: number): number {
    const { memory, replicas } = this.#options;
    const missing = memory.bytes + bytes - (memory.bytesMax ?? Infinity);
    return missing > 0 && missing <= replicas.lentBytes ? missing : 0;
  }

  /** On how many threads, and what has to go for it. Fewer threads come before not at all. */
  #plan({
    resources,
    bytesPerReplica,
    want,
    serving,
  }: Pick<WantedVersion, 'resources' | 'want' | 'serving'> & { readonly bytesPerReplica: number }): {
    readonly affordable: number;
    readonly room: MemoryRoom;
  } {
    const { memory, pool } = this.#options;
    const { bytesMax } = memory;
    if (bytesMax === undefined) return { affordable: Infinity, room: { kind: 'room', evict: [] } };
    const isAsked = want === 'asked';
    // What nobody asked for yet takes the place of nothing, unless it is the successor of what serves.
    const mayEvict = want !== 'spare' && (want !== 'ahead' || serving !== undefined);
    const most = Math.max(1, Math.floor(bytesMax / Math.max(1, bytesPerReplica)));
    const demand = { threads: pool.lanes.length, bytesPerReplica, affordable: most };
    const { placed } = replicaDemand(resources, demand);
    for (const keep of serving === undefined ? [undefined] : [serving, undefined]) {
      for (let affordable = placed; affordable >= 1; affordable--) {
        const room = memory.room(affordable * bytesPerReplica, { isAsked, keep });
        const isFree = room.kind === 'room' && (mayEvict || room.evict.length === 0);
        if (isFree) return { affordable, room };
      }
    }
    const room = memory.room(bytesPerReplica, { isAsked });
    return { affordable: 1, room: room.kind === 'later' ? room : { kind: 'later', atMs: performance.now() } };
  }

  /** It may have come to take more than was known before. */
  async #settle(
    generation: ModelGeneration,
    {
      artifact,
      resources,
      want,
    }: Pick<WantedVersion, 'resources' | 'want'> & { readonly artifact: VersionMetadata['artifact'] },
  ): Promise<ModelGeneration | NotLoaded> {
    const { memory, replicas, log } = this.#options;
    const { bytesMax = Infinity } = memory;
    const { bytesPerReplica, modelName: model, modelVersion: version } = generation;
    if (bytesPerReplica > bytesMax) {
      const refusal = neverFits(bytesPerReplica, bytesMax);
      this.#tooLarge.set(artifact.sha256, refusal);
      await this.#unload(generation);
      return refusal;
    }
    if (memory.bytes > bytesMax) {
      const room = memory.room(0, { isAsked: want === 'asked', keep: generation });
      if (room.kind === 'room') for (const other of room.evict) this.#evict(other, 'room');
    }
    await replicas.fit(generation, resources);
    if (memory.bytes <= bytesMax) return generation;
    log.warn(
      { model, version, bytesPerReplica },
      'version takes more memory than was known, and there is no room',
    );
    await this.#unload(generation);
    const room = memory.room(bytesPerReplica, { isAsked: want === 'asked' });
    return noRoom(room.kind === 'later' ? room.atMs : performance.now());
  }

  #hold(generation: ModelGeneration, want: Want): void {
    if (want === 'held') this.#options.memory.assign(generation, 'rollout');
  }

  /** From now on requests for it wait until it is loaded again. Only legal while nothing holds it. */
  #evict(generation: ModelGeneration, cause: 'idle' | 'room'): void {
    const { log } = this.#options;
    const { modelName: model, modelVersion: version, bytesPerReplica } = generation;
    log.info({ model, version, cause: causes[cause], bytesPerReplica }, 'version evicted from memory');
    generation.metrics.evictions[cause] += 1;
    this.#unload(generation).catch((error: unknown) => {
      log.error({ err: error, model, version }, 'version could not be released');
    });
  }

  async #unload(generation: ModelGeneration): Promise<void> {
    generation.isDormant = true;
    this.#forget(generation);
    await this.#options.pool.unload(generation.session);
    this.#freed();
  }

  /** Only where memory is bounded is anything short of it. */
  #freed(): void {
    if (this.#options.memory.bytesMax !== undefined) this.#options.freed();
  }

  #forget(generation: ModelGeneration): void {
    const { forget, replicas, memory } = this.#options;
    forget(generation);
    replicas.forget(generation);
    // What is unloaded is so before anything else is loaded: the pool does one after the other.
    memory.leave(generation);
  }
}

/** For the log. */
const causes = { idle: 'nobody asked for it', room: 'another one needs the room' } as const;

function neverFits(bytes: number, bytesMax: number): NotLoaded {
  const reason = `MODEL_MEMORY: it takes ${bytes} bytes on one thread here, all models together may take ${bytesMax}. Raise --model-memory, or deploy a smaller version.`;
  return { reason, mayPass: false };
}

function noRoom(roomAtMs: number): NotLoaded {
  const reason =
    'MODEL_MEMORY: there is no room for it now beside models that are in use, new, pinned or in a rollout. Raise --model-memory, or undeploy some.';
  return { reason, mayPass: true, roomAtMs };
}
