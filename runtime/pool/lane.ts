/**
 * One thread of the pool: a Piscina of exactly one worker, so that a task always meets the sessions it needs and the
 * loss of a thread is the loss of one lane. It does one thing at a time; a lane that loses its thread starts another.
 *
 *     starting -> idle <-> busy -> lost -> starting ...      any -> closed
 *
 * Maintenance (load, unload) waits for the running task and goes before new batches.
 */
import { performance } from 'node:perf_hooks';
import { Piscina } from 'piscina';
import type { LoadTask, RunTask, WorkerReply, WorkerStart, WorkerTask } from '../protocol/worker-task.ts';

export type LaneState = 'starting' | 'idle' | 'busy' | 'lost' | 'closed';

/** The thread ended before it answered. */
export interface LaneLost {
  readonly kind: 'lost';
  /** For the log, not for clients. */
  readonly detail: string;
}

export type LaneReply = WorkerReply | LaneLost;

/** What a batch run needs to say; where its results go is the lane's business. */
export type LaneRun = Omit<RunTask, 'kind' | 'resultOffset' | 'resultBytes'>;

export interface LaneOptions {
  readonly index: number;
  /** The compiled worker module. */
  readonly workerFile: URL;
  readonly arena: SharedArrayBuffer;
  /** Two result regions used in turn: one is read while the next batch fills the other. */
  readonly resultOffsets: readonly [number, number];
  readonly resultBytes: number;
  readonly background: boolean;
  /** What a new thread must hold before it takes work. */
  readonly sessionsToLoad: () => Promise<readonly LoadTask[]>;
  /** Whether a thread that could not load this session may take work all the same. */
  readonly mayMiss: (session: number) => boolean;
  /** Called when the lane became free on its own: after its start and after maintenance, not after a batch. */
  readonly onIdle: (lane: Lane) => void;
  readonly onLost: (lane: Lane, detail: string) => void;
}

/** First and longest pause before a lost thread is started again, milliseconds. */
const restartDelayMsMin = 50;
const restartDelayMsMax = 10_000;
/** A thread that lived this long counts as healthy, and the next restart is quick again. */
const healthyAfterMs = 30_000;

interface Waiting {
  readonly task: WorkerTask;
  readonly settle: (reply: LaneReply) => void;
}

export class Lane {
  readonly index: number;
  readonly #options: LaneOptions;
  readonly #maintenance: Waiting[] = [];
  #state: LaneState = 'starting';
  #piscina: Piscina<WorkerTask, WorkerReply>;
  #startedAtMs = 0;
  #restartDelayMs = restartDelayMsMin;
  #restartTimer: NodeJS.Timeout | undefined;
  #resultTurn: 0 | 1 = 0;

  constructor(options: LaneOptions) {
    this.index = options.index;
    this.#options = options;
    this.#piscina = this.#startThread();
  }

  get state(): LaneState {
    return this.#state;
  }

  /** Runs a batch. Only legal while idle: work is handed out when a lane is free, never before. */
  run(batch: LaneRun): Promise<LaneReply> {
    if (this.#state !== 'idle') throw new Error(`lane ${this.index} is ${this.#state}, not idle`);
    this.#resultTurn = this.#resultTurn === 0 ? 1 : 0;
    const { resultOffsets, resultBytes } = this.#options;
    const { session, inputs, outputs } = batch;
    const resultOffset = resultOffsets[this.#resultTurn];
    return this.#perform({ kind: 'run', session, inputs, outputs, resultOffset, resultBytes });
  }

  /** Loads or unloads as soon as the lane is between tasks. Answers `lost` when the thread or the lane ends first. */
  maintain(task: WorkerTask): Promise<LaneReply> {
    if (this.#state === 'closed') return Promise.resolve({ kind: 'lost', detail: 'the pool is closed' });
    return new Promise((settle) => {
      this.#maintenance.push({ task, settle });
      if (this.#state === 'idle') this.#between();
    });
  }

  /** Ends the thread; a task that still runs is answered as lost. Finish what matters before. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#restartTimer);
    this.#dropMaintenance('the pool is closed');
    await this.#piscina.destroy();
  }

  async #perform(task: WorkerTask): Promise<LaneReply> {
    this.#state = 'busy';
    const reply = await this.#ask(task);
    if (reply.kind !== 'lost') this.#between();
    return reply;
  }

  /** Between two tasks: maintenance first, otherwise free for a batch. */
  #between(): void {
    if (this.#state === 'closed' || this.#state === 'lost') return;
    const waiting = this.#maintenance.shift();
    if (waiting === undefined) {
      this.#state = 'idle';
      return;
    }
    void this.#perform(waiting.task).then((reply) => {
      waiting.settle(reply);
      this.#reportIdle();
    });
  }

  #startThread(): Piscina<WorkerTask, WorkerReply> {
    this.#state = 'starting';
    this.#startedAtMs = performance.now();
    const { arena, background } = this.#options;
    const start: WorkerStart = { arena, background };
    const piscina = new Piscina<WorkerTask, WorkerReply>({
      filename: this.#options.workerFile.href,
      minThreads: 1,
      maxThreads: 1,
      workerData: start,
      atomics: 'disabled',
      recordTiming: false,
      workerHistogram: false,
    });
    piscina.on('error', (error: unknown) => {
      if (piscina === this.#piscina) this.#lose(messageOf(error));
    });
    // A thread that ends between tasks is no error to Piscina, which quietly starts an empty one in its place.
    piscina.on('workerDestroy', () => {
      if (piscina === this.#piscina) this.#lose('the thread ended');
    });
    // The field is assigned once this returns; the rest of the start needs it.
    queueMicrotask(() => void this.#fillThread());
    return piscina;
  }

  async #fillThread(): Promise<void> {
    const piscina = this.#piscina;
    const problem = await this.#fill();
    if (piscina !== this.#piscina || this.#state !== 'starting') return;
    if (problem !== undefined) {
      this.#lose(problem);
      return;
    }
    this.#between();
    this.#reportIdle();
  }

  /** Proves that the thread works and loads what it must hold; what went wrong, if anything. */
  async #fill(): Promise<string | undefined> {
    const hello = await this.#ask({ kind: 'hello' });
    if (hello.kind === 'lost') return hello.detail;
    try {
      for (const task of await this.#options.sessionsToLoad()) {
        const reply = await this.#ask(task);
        if (reply.kind === 'lost') return reply.detail;
        if (reply.kind === 'failed' && !this.#options.mayMiss(task.session)) return reply.detail;
      }
      return undefined;
    } catch (error) {
      return `a model could not be read: ${messageOf(error)}`;
    }
  }

  async #ask(task: WorkerTask): Promise<LaneReply> {
    const piscina = this.#piscina;
    try {
      return await piscina.run(task);
    } catch (error) {
      const detail = messageOf(error);
      if (piscina === this.#piscina) this.#lose(detail);
      return { kind: 'lost', detail };
    }
  }

  #reportIdle(): void {
    if (this.#state === 'idle') this.#options.onIdle(this);
  }

  /** The thread is gone: whatever waited for it is answered, and a new one starts after a pause. */
  #lose(detail: string): void {
    if (this.#state === 'closed' || this.#state === 'lost') return;
    this.#state = 'lost';
    this.#dropMaintenance(detail);
    const lived = performance.now() - this.#startedAtMs;
    const delay = lived > healthyAfterMs ? restartDelayMsMin : this.#restartDelayMs;
    this.#restartDelayMs = Math.min(delay * 2, restartDelayMsMax);
    const old = this.#piscina;
    this.#restartTimer = setTimeout(() => {
      void old.destroy();
      this.#piscina = this.#startThread();
    }, delay);
    this.#options.onLost(this, detail);
  }

  #dropMaintenance(detail: string): void {
    for (const waiting of this.#maintenance.splice(0)) waiting.settle({ kind: 'lost', detail });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
