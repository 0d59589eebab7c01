/**
 * One thread with its own runtime: a Piscina of exactly one worker, so that a task always meets the sessions that were
 * loaded before it. It lives once: when it has ended, for whatever reason, its owner starts another one.
 *
 * Invariant: every task is answered exactly once, with `lost` when the thread ends first; `onEnd` is called at most once,
 * and not for an end that the owner asked for.
 */
import { performance } from 'node:perf_hooks';
import { Piscina } from 'piscina';
import type { EngineChoice } from '../protocol/engine-choice.ts';
import { movedBytes } from '../protocol/moved-bytes.ts';
import type { WorkerReply, WorkerStart, WorkerTask } from '../protocol/worker-task.ts';
import { adoptRuntimeModule } from '../worker/runtime-module.ts';

/** The thread ended before it answered. */
export interface LaneLost {
  readonly kind: 'lost';
  /** For the log, not for clients. */
  readonly detail: string;
}

export type LaneReply = WorkerReply | LaneLost;

export type EndListener = (thread: LaneThread, detail: string) => void;

export interface LaneThreadOptions {
  /** The compiled worker module. */
  readonly workerFile: URL;
  readonly arena: SharedArrayBuffer;
  readonly engine: EngineChoice;
}

/**
 * How long whoever ends a thread waits for native code in it to return, milliseconds. The thread ends whenever that does.
 */
const nativeEndMsMax = 5000;

export class LaneThread {
  readonly startedAtMs: number = performance.now();
  /** Native code returns into a thread that must still be there; the process ends otherwise. WebAssembly is just cut off. */
  readonly #mustReturn: boolean;
  readonly #piscina: Piscina<WorkerTask, WorkerReply>;
  readonly #sessions = new Set<number>();
  #onEnd: EndListener = () => undefined;
  #endedBy: string | undefined;
  #ending: Promise<void> | undefined;
  /** While native code may run: resolves when it does no more, and what answers its task before that. */
  #running: Promise<void> | undefined;
  #giveUp: ((reply: LaneLost) => void) | undefined;
  #heapBytes = 0;

  constructor({ workerFile, arena, engine }: LaneThreadOptions) {
    const start: WorkerStart = { arena, engine };
    this.#mustReturn = engine.name === 'native';
    this.#piscina = new Piscina<WorkerTask, WorkerReply>({
      filename: workerFile.href,
      minThreads: 1,
      maxThreads: 1,
      workerData: start,
      atomics: 'disabled',
      recordTiming: false,
      workerHistogram: false,
    });
    this.#piscina.on('error', (error: unknown) => {
      this.#ended(messageOf(error));
    });
    // A thread that ends between tasks is no error to Piscina, which quietly starts an empty one in its place.
    this.#piscina.on('workerDestroy', () => {
      this.#ended('the thread ended');
    });
  }

  /** Memory that the thread's library never gives back, as it last said, bytes; 0 where it cannot tell. It only grows while the thread lives. */
  get heapBytes(): number {
    return this.#heapBytes;
  }

  /** What it was asked to load, did load, and was not asked to unload. */
  get sessions(): ReadonlySet<number> {
    return this.#sessions;
  }

  /** From now on this owner is told when it ends on its own, and no other. */
  listen(onEnd: EndListener): void {
    this.#onEnd = onEnd;
  }

  /** Why it ended; undefined while it lives. */
  get endedBy(): string | undefined {
    return this.#endedBy;
  }

  async ask(task: WorkerTask): Promise<LaneReply> {
    if (this.#endedBy !== undefined) return { kind: 'lost', detail: this.#endedBy };
    try {
      const reply = await (this.#mustReturn ? this.#runNative(task) : this.#hand(task));
      if (reply.kind === 'hello' && reply.runtime !== undefined) adoptRuntimeModule(reply.runtime);
      if ('heapBytes' in reply && reply.heapBytes !== undefined) this.#heapBytes = reply.heapBytes;
      if (task.kind === 'load' && reply.kind === 'loaded') this.#sessions.add(task.session);
      if (task.kind === 'unload') this.#sessions.delete(task.session);
      return reply;
    } catch (error) {
      const detail = messageOf(error);
      this.#ended(detail);
      return { kind: 'lost', detail: this.endedBy ?? detail };
    }
  }

  /**
   * Ends it whatever it does. A task that still runs is answered as lost, with this detail. Native code is not interrupted:
   * its task is answered at once all the same, and the thread ends when it returns.
   */
  end(detail: string): Promise<void> {
    this.#endedBy ??= detail;
    this.#heapBytes = 0;
    this.#giveUp?.({ kind: 'lost', detail: this.#endedBy });
    // Asked twice before the thread is gone, Piscina takes its end for an accident and starts another one; asked while it
    // tells of an accident, it waits for ever for an end that has happened.
    this.#ending ??= (this.#running ?? Promise.resolve()).then(() => this.#piscina.destroy());
    if (this.#running === undefined) return this.#ending;
    const late = new Promise<void>((resolve) => void setTimeout(resolve, nativeEndMsMax).unref());
    return Promise.race([this.#ending, late]);
  }

  /** The file of a model is the thread's from here on. */
  #hand(task: WorkerTask): Promise<WorkerReply> {
    if (task.kind !== 'load') return this.#piscina.run(task);
    return this.#piscina.run(task, { transferList: movedBytes(task.model) });
  }

  /** One task at a time. */
  #runNative(task: WorkerTask): Promise<LaneReply> {
    return new Promise((resolve, reject) => {
      const settle =
        <Value>(pass: (value: Value) => void) =>
        (value: Value): void => {
          this.#running = undefined;
          this.#giveUp = undefined;
          pass(value);
        };
      this.#giveUp = resolve;
      this.#running = this.#hand(task).then(settle<WorkerReply>(resolve), settle<unknown>(reject));
    });
  }

  /** What Piscina started in its place must not live on. */
  #ended(detail: string): void {
    if (this.#endedBy !== undefined) return;
    void this.end(detail);
    this.#onEnd(this, detail);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
