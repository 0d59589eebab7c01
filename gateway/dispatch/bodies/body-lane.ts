/**
 * The event loop's side of the thread that reads large bodies and writes large answers: starts it with the first one, and
 * gives each question its answer. If the thread ends, everything that waits for it is answered `undefined`, and the next
 * body starts another.
 */
import { Worker } from 'node:worker_threads';
import type { Result } from '../../wire/error-code.ts';
import type { InferReply } from '../../wire/infer-request.ts';
import type { Filled } from '../fill-rows.ts';
import type {
  BodyReply,
  BodyTask,
  BodyThreadStart,
  FillInput,
  ReadRequest,
  ReadTask,
  TextFormat,
} from './body-task.ts';

export interface BodyLaneOptions {
  /** The compiled module of the thread. */
  readonly threadFile: URL;
  readonly arena: SharedArrayBuffer;
  readonly onLost: (detail: string) => void;
}

/** Elements of strings that the body had, or what was wrong with it; undefined when the thread was lost. */
export type FillReply = Result<Filled | undefined> | undefined;

/** The text of an answer, and how much of it is JSON when tensors stand behind it. */
export interface Written {
  readonly body: Uint8Array;
  readonly jsonBytes: number | undefined;
}

export class BodyLane {
  readonly #options: BodyLaneOptions;
  readonly #waiting = new Map<number, (reply: BodyReply | undefined) => void>();
  #worker: Worker | undefined;
  #lastTicket = 0;

  constructor(options: BodyLaneOptions) {
    this.#options = options;
  }

  /** A name for the next body. */
  ticket(): number {
    this.#lastTicket += 1;
    return this.#lastTicket;
  }

  /** Decodes a body, whose memory goes to the thread. After a success `fill` or `drop` must follow. */
  async read(task: Omit<ReadTask, 'kind'>): Promise<Result<ReadRequest> | undefined> {
    const reply = await this.#ask({ ...task, kind: 'read' }, [task.body.buffer]);
    return reply?.kind === 'read' ? reply.request : undefined;
  }

  /** Writes the elements of a body into the arena. The thread forgets the body. */
  async fill(ticket: number, inputs: readonly FillInput[]): Promise<FillReply> {
    const reply = await this.#ask({ kind: 'fill', ticket, inputs }, []);
    return reply?.kind === 'filled' ? reply.filled : undefined;
  }

  /** Writes an answer as text. Its elements must be in memory that the thread may see and that nobody changes meanwhile. */
  async write(format: TextFormat, answer: InferReply): Promise<Written | undefined> {
    const reply = await this.#ask({ kind: 'write', ticket: this.ticket(), format, reply: answer }, []);
    return reply?.kind === 'written' ? reply : undefined;
  }

  drop(ticket: number): void {
    const task: BodyTask = { kind: 'drop', ticket };
    this.#worker?.postMessage(task);
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#loseAll();
    await worker?.terminate();
  }

  #ask(task: BodyTask, moved: readonly ArrayBuffer[]): Promise<BodyReply | undefined> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve) => {
      this.#waiting.set(task.ticket, resolve);
      worker.postMessage(task, moved);
    });
  }

  #start(): Worker {
    const workerData: BodyThreadStart = { arena: this.#options.arena };
    const worker = new Worker(this.#options.threadFile, { workerData });
    worker.on('message', (reply: BodyReply) => {
      const settle = this.#waiting.get(reply.ticket);
      this.#waiting.delete(reply.ticket);
      settle?.(reply);
    });
    worker.on('error', (error) => {
      this.#lose(worker, error.message);
    });
    worker.on('exit', () => {
      this.#lose(worker, 'the thread ended');
    });
    return worker;
  }

  #lose(worker: Worker, detail: string): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    this.#options.onLost(detail);
    this.#loseAll();
  }

  #loseAll(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const settle of waiting) settle(undefined);
  }
}
