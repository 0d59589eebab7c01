/**
 * Where the threads of lanes come from, and where they go once another has taken their place. Such a thread is kept for a
 * while with all that it holds: the next load beside a lane's work then loads what is new, and neither starts a runtime nor
 * reads, checks and loads once more what the lane had all the time. Two threads that take turns also use the memory that
 * they have, where one thread after the other would take some and leave it.
 *
 * Invariant: at most one thread is kept, and never for longer than `spareMsMax`; it can be ended at any time (`endKept`).
 */
import type { EngineChoice } from '../protocol/engine-choice.ts';
import { LaneThread } from './lane-thread.ts';

export interface ThreadSupplyOptions {
  /** The compiled worker module. */
  readonly workerFile: URL;
  readonly arena: SharedArrayBuffer;
  readonly engine: EngineChoice;
  /** For so long a thread is kept whose place another took, milliseconds; default 0 for never. */
  readonly spareMsMax?: number;
  /** WebAssembly memory above which a thread should be replaced, bytes, default 1 GiB. Such a one is not kept either. */
  readonly threadMemoryBytesMax?: number;
}

/** What the thread that is kept holds on to. */
export type KeptThread = Pick<LaneThread, 'heapBytes' | 'sessions'>;

export class ThreadSupply {
  readonly threadMemoryBytesMax: number;
  readonly #options: ThreadSupplyOptions;
  #spare: LaneThread | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ThreadSupplyOptions) {
    this.#options = options;
    this.threadMemoryBytesMax = options.threadMemoryBytesMax ?? 2 ** 30;
  }

  /** The thread that is kept; undefined while there is none. */
  get kept(): KeptThread | undefined {
    return this.#spare?.endedBy === undefined ? this.#spare : undefined;
  }

  /** A fresh one. */
  start(): LaneThread {
    const { workerFile, arena, engine } = this.#options;
    return new LaneThread({ workerFile, arena, engine });
  }

  /** To take the place of another: the one that is kept, which holds sessions already, or a fresh one. */
  successor(): LaneThread {
    const spare = this.#take();
    return spare?.endedBy === undefined ? (spare ?? this.start()) : this.start();
  }

  /** Another took its place, and it does nothing any more. */
  giveBack(thread: LaneThread): void {
    const { spareMsMax = 0 } = this.#options;
    const before = this.#take();
    if (spareMsMax > 0 && thread.heapBytes <= this.threadMemoryBytesMax) {
      thread.listen(() => undefined);
      this.#spare = thread;
      this.#timer = setTimeout(() => void this.endKept('nothing was loaded for a while'), spareMsMax).unref();
    } else void thread.end('another took its place');
    void before?.end('another one is kept');
  }

  /** The session is gone for good. Its memory is free for what is loaded next. */
  unload(session: number): void {
    if (this.#spare?.sessions.has(session) === true) void this.#spare.ask({ kind: 'unload', session });
  }

  /** Ends the thread that is kept, if there is one. */
  async endKept(detail: string): Promise<void> {
    await this.#take()?.end(detail);
  }

  #take(): LaneThread | undefined {
    const spare = this.#spare;
    this.#spare = undefined;
    clearTimeout(this.#timer);
    return spare;
  }
}
