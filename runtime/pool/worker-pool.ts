/**
 * The pool of lanes and what they hold: starting, loading a model on as many lanes as it is to have, unloading, closing. It
 * does not decide what runs next; whoever owns the queue is told when a lane is free and hands it a batch.
 *
 * Invariants: a batch of a session goes only to lanes that hold it, also after a thread was lost; at most one lane at a
 * time is kept from its work by a load, and a lane that is the only one to run a session is not, while it is in use.
 */
import { type EngineChoice, wasmChoice } from '../protocol/engine-choice.ts';
import type { Loaded, LoadTask, RunTask } from '../protocol/worker-task.ts';
import { PageArena } from '../tensor/page-arena.ts';
import { asLoaded } from '../tensor/signature.ts';
import type { SessionToLoad } from './fill-thread.ts';
import { type HeldSession, HeldSessions, type ModelToLoad } from './held-sessions.ts';
import { InlineLane } from './inline-lane.ts';
import { Lane, type LaneReply } from './lane.ts';
import type { LaneLoss } from './lane-loss.ts';
import { inlineModelBytesMaxDefault, isCheap, loadTotals, lowestCosts } from './load-measures.ts';
import { loadTaskOf, readLoadTask } from './load-task.ts';
import { ModelFile } from './model-file.ts';
import type { LoadOutcome, PoolEvents, PoolOptions, PoolSettings, ThreadChange } from './pool-options.ts';
import { Quarantines } from './quarantines.ts';
import { runLimitMs, type RunRules } from './run-limit.ts';
import { mayBringBack } from './thread-policy.ts';
import { ThreadSupply } from './thread-supply.ts';

/** A lane that ran something so recently is in use, milliseconds. */
const inUseMs = 5000;

export class WorkerPool {
  readonly arena: SharedArrayBuffer;
  readonly pages: PageArena;
  readonly lanes: readonly Lane[];
  /** Runs the models that `load` reported as inline. */
  readonly inlineLane: InlineLane;
  /** What runs the models here. */
  readonly engine: EngineChoice;
  readonly #options: PoolSettings;
  #events: Partial<PoolEvents>;
  readonly #sessions: HeldSessions;
  readonly #quarantines: Quarantines;
  readonly #loadBehindMsMax: number;
  readonly #threads: ThreadSupply;
  readonly #threadChanges = new Map<ThreadChange, number>();
  /** Loads, unloads and changes of threads, one after the other. */
  #maintenance: Promise<unknown> = Promise.resolve();
  /** Sessions for the event loop's own lane, which is not to be started yet; undefined once it is. */
  #inlineLater: Set<number> | undefined;
  #closed = false;

  private constructor(options: PoolOptions) {
    this.#options = options;
    this.#events = options;
    if (options.inlineLater === true) this.#inlineLater = new Set();
    this.engine = options.engine ?? wasmChoice;
    // Threads that a library starts meanwhile would stay behind for good.
    this.#loadBehindMsMax = this.engine.intraOpThreads > 1 ? 0 : (options.loadBehindMsMax ?? 0);
    this.arena = new SharedArrayBuffer(options.arenaBytes);
    this.pages = new PageArena(options.arenaBytes);
    this.#sessions = new HeldSessions(options.threads);
    this.#quarantines = new Quarantines(options.faults, (session) => {
      this.#events.onRelease?.(session);
    });
    const onLost = (detail: string): void => {
      this.#events.onInlineLost?.(detail);
    };
    const { arena, engine } = this;
    this.inlineLane = new InlineLane({ arena, engine, ...this.#resultRegion(), onLost });
    this.#threads = new ThreadSupply({ ...options, arena, engine });
    this.lanes = Array.from({ length: options.threads }, (_, index) => this.#lane(index));
  }

  /** Whether any thread takes work, now or after what it is doing. */
  get alive(): boolean {
    return this.lanes.some(({ state }) => state === 'idle' || state === 'busy');
  }

  /** How often threads came and went, by reason, since the start. */
  get threadChanges(): ReadonlyMap<ThreadChange, number> {
    return this.#threadChanges;
  }

  /** What takes memory beside the lanes: the thread that the next load beside a lane's work goes to. */
  get spare(): Pick<ThreadSupply, 'kept' | 'endKept'> {
    return this.#threads;
  }

  /** Starts the threads. Returns at once; a lane reports itself idle when it can work. */
  static start(options: PoolOptions): WorkerPool {
    return new WorkerPool(options);
  }

  /**
   * For a pool that was started before there was anybody to tell: from now on the events go here. What was missed is only
   * threads that came to an end, which are counted, and lanes that are idle, which are told of again.
   */
  listen(events: PoolEvents): void {
    this.#events = events;
    for (const lane of this.lanes) if (lane.state === 'idle') events.onIdle(lane);
  }

  /** Whether a batch of this session may go to this lane. */
  holds(lane: Lane, session: number): boolean {
    return this.#sessions.isReady(lane.index, session);
  }

  /** On how many lanes the session is to be. */
  replicasOf(session: number): number {
    return this.#sessions.get(session)?.placed.size ?? 0;
  }

  /**
   * Loads a model on its lanes, one after the other, and warms it there. Answers `loaded` only when all of them hold it;
   * on any failure those that had loaded it release it again.
   */
  load(model: ModelToLoad): Promise<LoadOutcome> {
    return this.#inTurn(() => this.#load(model));
  }

  /**
   * Puts a loaded session on so many lanes, or on all. Resolves with the number of those that hold it then. `isAwaited` when
   * work waits for the lanes that come: then they load among the others and not behind them.
   */
  scale(session: number, replicas: number | undefined, isAwaited = false): Promise<number> {
    return this.#inTurn(async () => {
      const held = this.#sessions.get(session);
      if (held === undefined) return 0;
      const wanted = new Set(this.#sessions.lanesFor(held, replicas));
      for (const lane of [...held.placed].filter((index) => !wanted.has(index))) {
        // No batch goes there from now on, and the one that runs goes first.
        held.ready.delete(lane);
        held.placed.delete(lane);
        await this.lanes[lane]?.maintain({ kind: 'unload', session });
      }
      for (const lane of [...wanted].filter((index) => !held.placed.has(index))) {
        held.placed.add(lane);
        const reply = await this.#loadOn(lane, held, { ...this.#sessionToLoad(held), isAwaited });
        if (reply.kind !== 'loaded') held.placed.delete(lane);
      }
      return held.ready.size;
    });
  }

  /**
   * Puts the models on the event loop that were to wait for this (`inlineLater`). The first one starts a runtime there, for
   * which the event loop stands still, a tenth of a second on a small machine.
   */
  startInline(): Promise<void> {
    return this.#inTurn(async () => {
      const waiting = this.#inlineLater ?? [];
      this.#inlineLater = undefined;
      for (const session of waiting) {
        const held = this.#sessions.get(session);
        if (held !== undefined) await this.#loadInline(await readLoadTask(held, true));
      }
    });
  }

  /** Releases a model everywhere. Only legal once nothing of it is queued or running. */
  unload(session: number): Promise<void> {
    return this.#inTurn(() => this.#unload(session));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#quarantines.close();
    await Promise.all([
      ...this.lanes.map((lane) => lane.close()),
      this.#threads.endKept('the pool is closed'),
    ]);
  }

  async #load(model: ModelToLoad): Promise<LoadOutcome> {
    const held = this.#sessions.add(model);
    return this.#loadEverywhere(held).catch(async (error: unknown) => {
      await this.#unload(held.session);
      throw error;
    });
  }

  async #loadEverywhere(held: HeldSession): Promise<LoadOutcome> {
    const { session, model } = held;
    const { isAwaited = false } = model;
    const isFree = !this.lanes.some((lane) => lane.hasRunWithin(inUseMs));
    const file = await ModelFile.open(() => model.readModel(isAwaited || isFree));
    const { inlineRunUsMax, inlineModelBytesMax = inlineModelBytesMaxDefault } = this.#options;
    const isSmall = file.lengthBytes <= inlineModelBytesMax;
    const loaded: Loaded[] = [];
    for (const lane of held.placed) {
      const givesBack = isSmall || loaded.length + 1 < held.placed.size;
      const task = async (): Promise<LoadTask> => loadTaskOf(held, { model: await file.take(), givesBack });
      const reply = await this.#loadOn(lane, held, { task, isAwaited });
      if (reply.kind === 'loaded') {
        loaded.push(reply);
        file.giveBack(reply.model);
      } else {
        await this.#unload(session);
        if (reply.kind === 'failed' || reply.kind === 'lost') return reply;
        throw new Error(`a load was answered with ${reply.kind}`);
      }
    }
    const totals = loadTotals(loaded, file.lengthBytes);
    if (totals.memoryBytes > (model.memoryBytesMax ?? Infinity)) {
      await this.#unload(session);
      return { kind: 'over_memory', memoryBytes: totals.memoryBytes };
    }
    const alone = loaded.find((reply) => reply.batching === 'none');
    const batching = alone === undefined ? 'rows' : 'none';
    const measured = model.knownCosts === undefined ? loaded : [{ costs: model.knownCosts }];
    const costs = lowestCosts(measured.map((reply) => reply.costs));
    Object.assign(held, { isTentative: false, costs, signature: asLoaded(model.signature, batching) });
    const here = isSmall && alone === undefined ? await file.take() : undefined;
    const isInline = here !== undefined && isCheap(model, measured, { file: here, inlineRunUsMax });
    const inline = isInline && (await this.#loadInline(loadTaskOf(held, { model: here })));
    return {
      kind: 'loaded',
      session,
      batching,
      note: alone?.note,
      inline,
      costs: alone === undefined ? costs : [],
      replicas: held.placed.size,
      ...totals,
    };
  }

  async #unload(session: number): Promise<void> {
    const placed = [...(this.#sessions.get(session)?.placed ?? [])];
    this.#sessions.delete(session);
    this.#quarantines.forget(session);
    this.#threads.unload(session);
    await Promise.all([
      this.inlineLane.unload(session),
      ...placed.map((lane) => this.lanes[lane]?.maintain({ kind: 'unload', session })),
    ]);
  }

  /** A lane that loses its thread while loading gets the model again with its next thread; that is one more try. */
  async #loadOn(
    index: number,
    held: HeldSession,
    { task, isAwaited }: Pick<SessionToLoad, 'task'> & { readonly isAwaited: boolean },
  ): Promise<LaneReply> {
    const lane = this.lanes[index];
    if (lane === undefined) throw new Error(`there is no lane ${index}`);
    const isBeside = await this.#loadsBeside(lane, isAwaited);
    const { session } = held;
    const between = async (): Promise<LaneReply> => lane.maintain(await task(isAwaited));
    const first = await (isBeside ? lane.renew({ session, task }, isAwaited) : between());
    if (isBeside && first.kind === 'loaded') this.#count('loaded_beside');
    const reply = first.kind === 'lost' && !this.#closed ? await between() : first;
    if (reply.kind === 'loaded') {
      held.ready.add(index);
      if (lane.state === 'idle') this.#events.onIdle?.(lane);
    }
    return reply;
  }

  /** Where the load would keep requests waiting that no other lane can run, or cost nobody anything. */
  async #loadsBeside(lane: Lane, isAwaited: boolean): Promise<boolean> {
    const { loadsBeside = true } = this.#options;
    const isWorking = (lane.state === 'idle' || lane.state === 'busy') && lane.hasRunWithin(inUseMs);
    if (!loadsBeside || !isWorking) return false;
    const isFree = !isAwaited && this.#loadBehindMsMax > 0 && (await mayBringBack());
    return isFree || this.#sessions.isNeeded(lane.index);
  }

  async #loadInline(task: LoadTask): Promise<boolean> {
    if (this.#inlineLater !== undefined) {
      this.#inlineLater.add(task.session);
      return true;
    }
    // The event loop stands still meanwhile: nothing is measured a second time. It need not take the model, so it may judge it.
    return this.inlineLane.load({ ...task, isMeasured: true, batching: undefined });
  }

  #lane(index: number): Lane {
    const options = this.#options;
    const first = this.#resultRegion();
    const second = this.#resultRegion();
    return new Lane({
      index,
      threads: this.#threads,
      resultOffsets: [first.resultOffset, second.resultOffset],
      resultBytes: options.resultBytes,
      background: options.background ?? false,
      loadBehindMsMax: this.#loadBehindMsMax,
      sessionsToLoad: () => this.#sessions.placedOn(index).map((held) => this.#sessionToLoad(held)),
      mayMiss: (session) => this.#sessions.get(session)?.isTentative !== false,
      rulesOf: (task, signedMsMax) => this.#rulesOf(task, signedMsMax),
      loadMsMax: options.loadMsMax ?? 5 * 60_000,
      restartDelayMsMax: options.restartDelayMsMax ?? 10_000,
      onIdle: (lane) => {
        this.#events.onIdle?.(lane);
      },
      onLost: (lane, loss) => {
        this.#lost(lane, loss);
      },
      onOvergrown: (lane) => void this.#inTurn(() => this.#renewOvergrown(lane)),
    });
  }

  #sessionToLoad(held: HeldSession): SessionToLoad {
    return { session: held.session, task: (isAwaited) => readLoadTask(held, isAwaited) };
  }

  #rulesOf(task: RunTask, signedMsMax: number | undefined): RunRules {
    const held = this.#sessions.get(task.session);
    const { runMsMax = 10_000 } = this.#options;
    return {
      limitMs: runLimitMs(task, { costs: held?.costs ?? [], runMsMax, signedMsMax }),
      signature: held?.signature,
      refusal: this.#quarantines.holds(task.session) ? 'the session has cost too many threads' : undefined,
    };
  }

  #lost(lane: Lane, loss: LaneLoss): void {
    this.#count(loss.cause);
    this.#events.onLost?.(lane, loss);
    if (loss.session === undefined) return;
    const quarantine = this.#quarantines.lost(loss.session);
    if (quarantine !== undefined) this.#events.onQuarantine?.(quarantine);
  }

  async #renewOvergrown(lane: Lane): Promise<void> {
    if (this.#closed) return;
    const reply = await lane.renew();
    if (reply.kind !== 'lost' && reply.kind !== 'failed') this.#count('overgrown');
  }

  #count(change: ThreadChange): void {
    this.#threadChanges.set(change, (this.#threadChanges.get(change) ?? 0) + 1);
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const turn = this.#maintenance.then(work);
    this.#maintenance = turn.catch(() => undefined);
    return turn;
  }

  #resultRegion(): { readonly resultOffset: number; readonly resultBytes: number } {
    const { resultBytes } = this.#options;
    const resultOffset = this.pages.allocate(resultBytes);
    if (resultOffset === undefined) throw new RangeError('arenaBytes is too small for the result regions');
    return { resultOffset, resultBytes };
  }
}
