/**
 * A lane without a thread: runs models on the event loop itself. Waking a thread and being woken by it costs more than a
 * microsecond model's run (docs/benchmarks.md has the numbers), so the pool puts the cheapest models here as well; they
 * stay loaded on the threads too.
 *
 * The runtime is only imported when the first model is loaded. If the runtime breaks, the lane is lost for
 * good and its models go back to the threads.
 */
import type { EngineChoice } from '../protocol/engine-choice.ts';
import type { LoadTask } from '../protocol/worker-task.ts';
import type { SessionHost } from '../worker/session-host.ts';
import type { LaneLost, LaneReply, LaneRun } from './lane.ts';

export interface InlineLaneOptions {
  readonly engine: EngineChoice;
  readonly arena: SharedArrayBuffer;
  /** One region: results are read before the next run starts. */
  readonly resultOffset: number;
  readonly resultBytes: number;
  /** The lane is lost for good; its models run on the threads from now on. */
  readonly onLost: (detail: string) => void;
}

export class InlineLane {
  readonly #options: InlineLaneOptions;
  readonly #sessions = new Set<number>();
  #host: SessionHost | undefined;
  #broken = false;

  constructor(options: InlineLaneOptions) {
    this.#options = options;
  }

  /** Whether a batch of this session may run here now. */
  holds(session: number): boolean {
    return this.#sessions.has(session);
  }

  /** False when the model cannot be had here; it then runs on the threads alone. */
  async load(task: LoadTask): Promise<boolean> {
    if (this.#broken) return false;
    try {
      const host = (this.#host ??= await startHost(this.#options));
      const reply = await host.load(task);
      if (reply.kind === 'loaded' && reply.batching === 'rows') {
        this.#sessions.add(task.session);
        return true;
      }
      await host.unload(task.session);
    } catch (error) {
      this.#lose(messageOf(error));
    }
    return false;
  }

  async unload(session: number): Promise<void> {
    if (!this.#sessions.delete(session)) return;
    try {
      await this.#host?.unload(session);
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  /**
   * One batch at a time: the caller waits for the answer. With WebAssembly it comes without a turn of the event loop
   * between; the native library takes one.
   */
  async run({ session, inputs, outputs }: LaneRun): Promise<LaneReply> {
    const { resultOffset, resultBytes } = this.#options;
    const host = this.#host;
    if (host === undefined) return { kind: 'lost', detail: 'the inline lane holds nothing' };
    try {
      const { reply } = await host.run({ kind: 'run', session, inputs, outputs, resultOffset, resultBytes });
      return reply;
    } catch (error) {
      return this.#lose(messageOf(error));
    }
  }

  /** Nothing runs here any more. */
  #lose(detail: string): LaneLost {
    if (!this.#broken) this.#options.onLost(detail);
    this.#broken = true;
    this.#sessions.clear();
    return { kind: 'lost', detail };
  }
}

/** What is small enough to run here gains nothing from several threads, and they would start from the event loop. */
async function startHost({ arena, engine }: InlineLaneOptions): Promise<SessionHost> {
  const [{ SessionHost }, { chooseEngine }] = await Promise.all([
    import('../worker/session-host.ts'),
    import('../worker/thread-engine.ts'),
  ]);
  chooseEngine({ ...engine, intraOpThreads: 1 });
  return new SessionHost(arena);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
