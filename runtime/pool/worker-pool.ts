/**
 * The pool of lanes and what they hold: starting, loading a model on every lane, unloading, closing. It does not decide
 * what runs next; whoever owns the queue is told when a lane is free and hands it a batch.
 *
 * Invariant: a model that `load` reported as loaded is held by every lane that takes work, also after a thread was lost.
 */
import type { LoadTask, RunCost, WorkerFailure } from '../protocol/worker-task.ts';
import { PageArena } from '../tensor/page-arena.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import { InlineLane } from './inline-lane.ts';
import { Lane, type LaneLost } from './lane.ts';

export interface PoolOptions {
  /** Threads that run models. At least 1. */
  readonly threads: number;
  /** The compiled worker module. */
  readonly workerFile: URL;
  /** Address space shared with the threads; memory is only used where it is touched. Bytes. */
  readonly arenaBytes: number;
  /** Size of each of a lane's two result regions; larger results are moved instead. Bytes. */
  readonly resultBytes: number;
  /**
   * A model whose full batch runs in at most this many microseconds also runs on the event loop, where no thread has to
   * be woken for it. 0 keeps every model on the threads.
   */
  readonly inlineRunUsMax: number;
  /** Its threads get the lowest priority, where the operating system has priorities for threads. Default false. */
  readonly background?: boolean;
  readonly onIdle: (lane: Lane) => void;
  readonly onLost: (lane: Lane, detail: string) => void;
  /** The lane on the event loop is lost for good; its models go on running on the threads. */
  readonly onInlineLost: (detail: string) => void;
}

export interface ModelToLoad {
  readonly signature: ModelSignature;
  /** Row counts to run and measure before the model counts as warm, ascending; the last is the largest batch. */
  readonly warmRows: readonly number[];
  /** The verified ONNX file. Called once now, and again whenever a thread has to be replaced. */
  readonly readModel: () => Promise<Uint8Array>;
}

export interface LoadedModel {
  readonly kind: 'loaded';
  readonly session: number;
  readonly batching: ModelSignature['batching'];
  /** Why rows are not joined although the signature allows it. */
  readonly note: string | undefined;
  /** True when the event loop's own lane holds the model too, because its runs are cheaper than waking a thread. */
  readonly inline: boolean;
  /** Of the lane that was fastest. Ascending by rows; empty for a model whose rows are not joined. */
  readonly costs: readonly RunCost[];
  /** Longest time any lane needed, milliseconds. */
  readonly loadMs: number;
  readonly warmMs: number;
}

export type LoadOutcome = LoadedModel | WorkerFailure | LaneLost;

export class WorkerPool {
  readonly arena: SharedArrayBuffer;
  readonly pages: PageArena;
  readonly lanes: readonly Lane[];
  /** Runs the models that `load` reported as inline. */
  readonly inlineLane: InlineLane;
  readonly #inlineRunUsMax: number;
  readonly #models = new Map<number, ModelToLoad>();
  /** Sessions whose first load is under way: nobody relies on them yet. */
  readonly #tentative = new Set<number>();
  #lastSession = 0;

  private constructor(options: PoolOptions) {
    this.arena = new SharedArrayBuffer(options.arenaBytes);
    this.pages = new PageArena(options.arenaBytes);
    this.#inlineRunUsMax = options.inlineRunUsMax;
    const { onInlineLost: onLost } = options;
    this.inlineLane = new InlineLane({ arena: this.arena, ...this.#resultRegion(options), onLost });
    this.lanes = Array.from({ length: options.threads }, (_, index) => this.#lane(index, options));
  }

  /** Whether any thread takes work, now or after what it is doing. */
  get alive(): boolean {
    return this.lanes.some(({ state }) => state === 'idle' || state === 'busy');
  }

  /** Starts the threads. Returns at once; a lane reports itself idle when it can work. */
  static start(options: PoolOptions): WorkerPool {
    return new WorkerPool(options);
  }

  /**
   * Loads a model on every lane and warms it there. Answers `loaded` only when all lanes hold it; on any failure those
   * that had loaded it release it again.
   */
  async load(model: ModelToLoad): Promise<LoadOutcome> {
    const session = ++this.#lastSession;
    const task = await loadTask(session, model);
    // Known before it is loaded: a lane that starts meanwhile must end up with it too.
    this.#models.set(session, model);
    this.#tentative.add(session);
    const replies = await Promise.all(this.lanes.map((lane) => this.#loadOn(lane, task)));
    const loaded = replies.filter((reply) => reply.kind === 'loaded');
    const failure = replies.find((reply) => reply.kind === 'failed' || reply.kind === 'lost');
    if (failure?.kind === 'failed' || failure?.kind === 'lost') {
      await this.unload(session);
      return failure;
    }
    this.#tentative.delete(session);
    const alone = loaded.find((reply) => reply.batching === 'none');
    const inline = alone === undefined && this.#isCheap(task, loaded) && (await this.inlineLane.load(task));
    return {
      kind: 'loaded',
      session,
      batching: alone === undefined ? 'rows' : 'none',
      note: alone?.note,
      inline,
      costs: lowestCosts(loaded.map(({ costs }) => costs)),
      loadMs: Math.max(...loaded.map((reply) => reply.loadMs)),
      warmMs: Math.max(...loaded.map((reply) => reply.warmMs)),
    };
  }

  /** Releases a model everywhere. Only legal once nothing of it is queued or running. */
  async unload(session: number): Promise<void> {
    this.#models.delete(session);
    this.#tentative.delete(session);
    await Promise.all([
      this.inlineLane.unload(session),
      ...this.lanes.map((lane) => lane.maintain({ kind: 'unload', session })),
    ]);
  }

  async close(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close()));
  }

  #lane(index: number, options: PoolOptions): Lane {
    const first = this.#resultRegion(options);
    const second = this.#resultRegion(options);
    return new Lane({
      index,
      workerFile: options.workerFile,
      arena: this.arena,
      resultOffsets: [first.resultOffset, second.resultOffset],
      resultBytes: options.resultBytes,
      background: options.background ?? false,
      sessionsToLoad: () =>
        Promise.all([...this.#models].map(([session, model]) => loadTask(session, model))),
      mayMiss: (session) => this.#tentative.has(session) || !this.#models.has(session),
      onIdle: options.onIdle,
      onLost: options.onLost,
    });
  }

  #resultRegion({ resultBytes }: PoolOptions): {
    readonly resultOffset: number;
    readonly resultBytes: number;
  } {
    const resultOffset = this.pages.allocate(resultBytes);
    if (resultOffset === undefined) throw new RangeError('arenaBytes is too small for the result regions');
    return { resultOffset, resultBytes };
  }

  /** Whether even the largest batch costs less than waking a thread. Only fixed row shapes have a known cost. */
  #isCheap(task: LoadTask, loaded: readonly { readonly costs: readonly RunCost[] }[]): boolean {
    const bounded = task.signature.inputs.every((input) => input.shape.slice(1).every((size) => size >= 0));
    const rows = task.warmRows.at(-1) ?? 1;
    return (
      bounded &&
      loaded.every(({ costs }) => costs.some((cost) => cost.rows === rows && cost.us <= this.#inlineRunUsMax))
    );
  }

  /** A lane that loses its thread while loading gets the model again with its next thread; that is one more try. */
  async #loadOn(lane: Lane, task: LoadTask): Promise<Awaited<ReturnType<Lane['maintain']>>> {
    const reply = await lane.maintain(task);
    return reply.kind === 'lost' ? lane.maintain(task) : reply;
  }
}

/** Lanes warm up at the same time and disturb each other: what a run costs is what the luckiest of them measured. */
function lowestCosts(byLane: readonly (readonly RunCost[])[]): readonly RunCost[] {
  const [first = [], ...others] = byLane;
  return first.map(({ rows, us }) => ({
    rows,
    us: Math.min(us, ...others.map((costs) => costs.find((cost) => cost.rows === rows)?.us ?? Infinity)),
  }));
}

/** Copies the file into shared memory once, so that every thread reads the same bytes. */
async function loadTask(session: number, model: ModelToLoad): Promise<LoadTask> {
  const bytes = await model.readModel();
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  return { kind: 'load', session, model: shared, signature: model.signature, warmRows: model.warmRows };
}
