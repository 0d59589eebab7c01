/**
 * One thread of the pool and what it holds, over and over again: a lane that loses its thread starts another, and one
 * whose thread should go starts its successor first. It does one thing at a time.
 *
 *     starting -> idle <-> busy -> lost -> starting ...      any -> closed
 *
 * Maintenance (load, unload, the change of threads) waits for the running task and goes before new batches. A run that
 * does not come back, or comes back with nonsense, costs the thread; its batch is answered as lost.
 */
import { performance } from 'node:perf_hooks';
import type { RunTask, WorkerReply, WorkerTask } from '../protocol/worker-task.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import { fillBehind, stayBehind } from './behind-others.ts';
import { askWithin, fillThread, type SessionToLoad } from './fill-thread.ts';
import type { LaneReply, LaneThread } from './lane-thread.ts';
import type { LaneLoss, LossCause } from './lane-loss.ts';
import { replyProblem } from './reply-problem.ts';
import type { RunRules } from './run-limit.ts';
import { RunWatchdog } from './run-watchdog.ts';
import type { ThreadSupply } from './thread-supply.ts';

export type { LaneLost, LaneReply } from './lane-thread.ts';

export type LaneState = 'starting' | 'idle' | 'busy' | 'lost' | 'closed';

/** What a batch run needs to say; where its results go is the lane's business. */
export interface LaneRun extends Omit<RunTask, 'kind' | 'resultOffset' | 'resultBytes'> {
  /** Somebody set a limit for its model: see `runLimitMs`. */
  readonly runMsMax?: number | undefined;
}

export interface LaneOptions {
  readonly index: number;
  readonly threads: ThreadSupply;
  /** Two result regions used in turn: one is read while the next batch fills the other. */
  readonly resultOffsets: readonly [number, number];
  readonly resultBytes: number;
  /** Its threads come after all others once they have loaded what they must. */
  readonly background: boolean;
  /** For so long a thread for which nobody waits comes after all others while it loads, milliseconds; 0 for never. */
  readonly loadBehindMsMax: number;
  /** What a new thread must hold before it takes work. */
  readonly sessionsToLoad: () => readonly SessionToLoad[];
  /** Whether a thread that could not load this session may take work all the same. */
  readonly mayMiss: (session: number) => boolean;
  readonly rulesOf: (task: RunTask, signedMsMax: number | undefined) => RunRules;
  /** Longest time that one load with its warm-up may take, milliseconds. */
  readonly loadMsMax: number;
  /** Longest pause before a lost thread is started again, milliseconds. */
  readonly restartDelayMsMax: number;
  /** Called when the lane became free on its own: after its start and after maintenance, not after a batch. */
  readonly onIdle: (lane: Lane) => void;
  readonly onLost: (lane: Lane, loss: LaneLoss) => void;
  /** Its thread has grown past its limit: `renew` it. Once for each thread. */
  readonly onOvergrown: (lane: Lane) => void;
}

/** A thread that does not answer by then never will, milliseconds. Starting takes half a second. */
const startMsMax = 60_000;
/** First pause before a lost thread is started again; it doubles. Milliseconds. */
const restartDelayMsMin = 50;
/** A thread that lived this long counts as healthy, and the next restart is quick again. */
const healthyAfterMs = 30_000;

/**
 * A fresh thread may be past its limit as soon as it holds what it must; changing it again would help nobody before it
 * has grown by this much.
 */
const growthRatioMin = 1.25;

interface Maintenance {
  readonly perform: (thread: LaneThread) => Promise<LaneReply>;
  readonly settle: (reply: LaneReply) => void;
}

export class Lane {
  readonly index: number;
  readonly #options: LaneOptions;
  readonly #maintenance: Maintenance[] = [];
  readonly #watchdog: RunWatchdog;
  #state: LaneState = 'starting';
  #thread: LaneThread;
  #restartDelayMs = restartDelayMsMin;
  #restartTimer: NodeJS.Timeout | undefined;
  #resultTurn: 0 | 1 = 0;
  #running: number | undefined;
  /** Why the running task will be lost, where the lane ends the thread itself. */
  #endCause: LossCause = 'ended';
  #lastRunMs = -Infinity;
  /** Being filled to take over. */
  #successor: LaneThread | undefined;
  #overgrownBytes: number;

  constructor(options: LaneOptions) {
    this.index = options.index;
    this.#options = options;
    this.#overgrownBytes = options.threads.threadMemoryBytesMax;
    this.#watchdog = new RunWatchdog((limitMs) => {
      this.#endHanging(this.#thread, limitMs);
    });
    this.#thread = this.#start();
  }

  get state(): LaneState {
    return this.#state;
  }

  /** WebAssembly memory of its thread, bytes; 0 before anything was loaded. */
  get heapBytes(): number {
    return this.#thread.heapBytes;
  }

  /** Whether it ran a batch so recently that more are to be expected. `recentMs` milliseconds. */
  hasRunWithin(recentMs: number): boolean {
    return performance.now() - this.#lastRunMs < recentMs;
  }

  /** Runs a batch. Only legal while idle: work is handed out when a lane is free, never before. */
  run(batch: LaneRun): Promise<LaneReply> {
    if (this.#state !== 'idle') throw new Error(`lane ${this.index} is ${this.#state}, not idle`);
    const resultTurn = this.#resultTurn === 0 ? 1 : 0;
    const { resultOffsets, resultBytes, rulesOf } = this.#options;
    const { session, inputs, outputs, runMsMax } = batch;
    const resultOffset = resultOffsets[resultTurn];
    const task: RunTask = { kind: 'run', session, inputs, outputs, resultOffset, resultBytes };
    const rules = rulesOf(task, runMsMax);
    const { refusal } = rules;
    if (refusal !== undefined)
      return Promise.resolve({ kind: 'failed', code: 'QUARANTINED', detail: refusal });
    this.#resultTurn = resultTurn;
    return this.#run(task, rules);
  }

  /** Loads or unloads as soon as the lane is between tasks. Answers `lost` when the thread or the lane ends first. */
  maintain(task: WorkerTask): Promise<LaneReply> {
    return this.#maintain((thread) => this.#askWithin(thread, task));
  }

  /**
   * Make before break: another thread loads all that this lane holds, and `last` after that, while this one goes on;
   * between two tasks it takes over. Answers what `last` was answered, or `lost` when the successor did not get there; then
   * all stays as it is. For the moment there are two threads with all of their memory. Where callers wait for `last` it is loaded
   * as quickly as can be.
   */
  async renew(last?: SessionToLoad, isAwaited = false): Promise<LaneReply> {
    if (this.#successor !== undefined) throw new Error(`lane ${this.index} has a successor already`);
    const successor = this.#listening(this.#options.threads.successor());
    this.#successor = successor;
    try {
      const reply = await this.#fill(successor, { last, isAwaited });
      if (reply.kind === 'lost' || reply.kind === 'failed') return reply;
      return await this.#replaceBy(successor, reply);
    } finally {
      this.#successor = undefined;
      if (this.#thread !== successor) void successor.end('it was not needed');
    }
  }

  /** Ends the thread; a task that still runs is answered as lost. Finish what matters before. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#restartTimer);
    this.#watchdog.close();
    this.#dropMaintenance('the pool is closed');
    await Promise.all([this.#thread.end('the pool is closed'), this.#successor?.end('the pool is closed')]);
  }

  async #run(task: RunTask, { limitMs, signature }: RunRules): Promise<LaneReply> {
    this.#state = 'busy';
    this.#running = task.session;
    this.#watchdog.begin(limitMs);
    const reply = await this.#thread.ask(task);
    this.#watchdog.end();
    const checked = reply.kind === 'lost' ? reply : this.#checked(reply, task, signature);
    if (checked.kind === 'lost') this.#lose(this.#endCause, checked.detail);
    this.#running = undefined;
    this.#lastRunMs = performance.now();
    this.#watchGrowth();
    this.#between();
    return checked;
  }

  /** Nobody sees what cannot be true. A failure for want of memory is one, but the thread goes too. */
  #checked(reply: WorkerReply, task: RunTask, signature: ModelSignature | undefined): LaneReply {
    if (reply.kind === 'failed') {
      if (reply.code === 'OUT_OF_MEMORY') this.#lose('out_of_memory', reply.detail);
      return reply;
    }
    const problem = signature === undefined ? undefined : replyProblem(reply, task, signature);
    if (problem === undefined) return reply;
    this.#endCause = 'nonsense';
    return { kind: 'lost', detail: `the thread answered nonsense: ${problem}` };
  }

  #maintain(perform: Maintenance['perform']): Promise<LaneReply> {
    if (this.#state === 'closed') return Promise.resolve({ kind: 'lost', detail: 'the pool is closed' });
    return new Promise((settle) => {
      this.#maintenance.push({ perform, settle });
      if (this.#state === 'idle') this.#between();
    });
  }

  async #performNext({ perform, settle }: Maintenance): Promise<void> {
    this.#state = 'busy';
    const reply = await perform(this.#thread);
    this.#between();
    settle(reply);
    this.#reportIdle();
  }

  /** Between two tasks: maintenance first, otherwise free for a batch. */
  #between(): void {
    if (this.#state === 'closed' || this.#state === 'lost') return;
    const { endedBy } = this.#thread;
    if (endedBy !== undefined) {
      this.#lose(this.#endCause, endedBy);
      return;
    }
    const next = this.#maintenance.shift();
    if (next === undefined) this.#state = 'idle';
    else void this.#performNext(next);
  }

  #listening(thread: LaneThread): LaneThread {
    thread.listen((_, detail) => {
      // While it runs something, the end of that says so.
      if (thread === this.#thread && this.#state !== 'busy') this.#lose('ended', detail);
    });
    return thread;
  }

  #start(): LaneThread {
    this.#state = 'starting';
    this.#endCause = 'ended';
    const thread = this.#listening(this.#options.threads.start());
    // The field is assigned once this returns; the rest of the start needs it.
    queueMicrotask(() => void this.#fillStarted(thread));
    return thread;
  }

  async #fillStarted(thread: LaneThread): Promise<void> {
    const { background } = this.#options;
    const reply = await this.#fill(thread, { last: undefined, isAwaited: !background });
    if (thread !== this.#thread || this.#state !== 'starting') return;
    if (reply.kind === 'lost' || reply.kind === 'failed') {
      this.#lose(this.#endCause, reply.detail);
      return;
    }
    this.#setGrowthLimit();
    this.#between();
    this.#reportIdle();
  }

  async #fill(
    thread: LaneThread,
    { last, isAwaited }: { readonly last: SessionToLoad | undefined; readonly isAwaited: boolean },
  ): Promise<LaneReply> {
    const { sessionsToLoad, mayMiss, background, loadBehindMsMax } = this.#options;
    const ask = (task: WorkerTask): Promise<LaneReply> => this.#askWithin(thread, task);
    const { sessions: held } = thread;
    const fill = (): Promise<LaneReply> =>
      fillThread({ sessions: sessionsToLoad(), held, last, mayMiss, isAwaited, ask });
    const reply = await fillBehind(fill, { ask, msMax: isAwaited ? 0 : loadBehindMsMax });
    if (background) await stayBehind(ask);
    return reply;
  }

  #askWithin(thread: LaneThread, task: WorkerTask): Promise<LaneReply> {
    const { loadMsMax } = this.#options;
    const limitMs = task.kind === 'hello' || task.kind === 'where' ? startMsMax : loadMsMax;
    const onOverdue = (): void => {
      this.#endHanging(thread, limitMs);
    };
    return askWithin(thread, task, { limitMs, onOverdue });
  }

  #endHanging(thread: LaneThread, limitMs: number): void {
    if (thread === this.#thread) this.#endCause = 'hung';
    void thread.end(`the thread did not answer within ${Math.round(limitMs)} ms`);
  }

  /** At the next moment between two tasks; at once when the thread was lost meanwhile and another is on its way. */
  async #replaceBy(successor: LaneThread, reply: LaneReply): Promise<LaneReply> {
    const taken = (): LaneReply => {
      if (successor.endedBy !== undefined) return { kind: 'lost', detail: successor.endedBy };
      this.#adopt(successor);
      return reply;
    };
    if (this.#state === 'lost' || this.#state === 'starting') {
      const outcome = taken();
      if (outcome.kind === 'lost') return outcome;
      clearTimeout(this.#restartTimer);
      this.#state = 'busy';
      this.#between();
      this.#reportIdle();
      return outcome;
    }
    return this.#maintain(() => Promise.resolve(taken()));
  }

  #adopt(successor: LaneThread): void {
    const old = this.#thread;
    this.#thread = successor;
    this.#endCause = 'ended';
    this.#setGrowthLimit();
    this.#options.threads.giveBack(old);
  }

  #setGrowthLimit(): void {
    this.#overgrownBytes = Math.max(
      this.#options.threads.threadMemoryBytesMax,
      growthRatioMin * this.#thread.heapBytes,
    );
  }

  #watchGrowth(): void {
    if (this.#thread.heapBytes <= this.#overgrownBytes) return;
    this.#overgrownBytes = Infinity;
    this.#options.onOvergrown(this);
  }

  #reportIdle(): void {
    if (this.#state === 'idle') this.#options.onIdle(this);
  }

  /** The thread is gone: whatever waited for it is answered, and a new one starts after a pause. */
  #lose(cause: LossCause, detail: string): void {
    if (this.#state === 'closed' || this.#state === 'lost') return;
    this.#state = 'lost';
    this.#watchdog.end();
    this.#dropMaintenance(detail);
    const old = this.#thread;
    void old.end(detail);
    const lived = performance.now() - old.startedAtMs;
    const delay = lived > healthyAfterMs ? restartDelayMsMin : this.#restartDelayMs;
    this.#restartDelayMs = Math.min(delay * 2, this.#options.restartDelayMsMax);
    this.#restartTimer = setTimeout(() => {
      this.#thread = this.#start();
    }, delay);
    this.#options.onLost(this, { cause, detail, session: this.#running });
  }

  #dropMaintenance(detail: string): void {
    for (const { settle } of this.#maintenance.splice(0)) settle({ kind: 'lost', detail });
  }
}
