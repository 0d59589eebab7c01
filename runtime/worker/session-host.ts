/**
 * The sessions of one thread and what a task does with them: load, run, unload. Every task finishes what it starts and
 * answers with a value; an exception out of here means a broken invariant. It does not know which thread it is on.
 */
import { performance } from 'node:perf_hooks';
import type { Loaded, LoadTask, RunTask, WorkerFailure, WorkerReply } from '../protocol/worker-task.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import { inputTensor, storeResults } from './arena-tensors.ts';
import type { Engine } from './engine.ts';
import { FixedRowsSession } from './fixed-rows.ts';
import { OnnxSession, type SessionTensor } from './onnx-session.ts';
import { type LoadedSession, SessionChain } from './session-chain.ts';
import { engineOfThread } from './thread-engine.ts';
import { warmUp } from './warm-up.ts';

interface HeldSession {
  readonly session: LoadedSession;
  readonly signature: ModelSignature;
  /** What the load answered; given again when the same load is asked twice, as after a restart it may be. */
  readonly loaded: Loaded;
  readonly engine: Engine;
}

/** A reply, and the buffers in it that are to be moved and not copied when it crosses to another thread. */
export interface HostReply {
  readonly reply: WorkerReply;
  readonly moved: readonly ArrayBuffer[];
}

export class SessionHost {
  readonly #arena: SharedArrayBuffer;
  readonly #sessions = new Map<number, HeldSession>();

  constructor(arena: SharedArrayBuffer) {
    this.#arena = arena;
  }

  /** Starts the runtime ahead of the first load, which says what is wrong where this cannot be done. */
  async start(): Promise<void> {
    await engineOfThread()
      .then((engine) => engine.start())
      .catch(() => undefined);
  }

  async run(task: RunTask): Promise<HostReply> {
    const held = this.#sessions.get(task.session);
    if (held === undefined) {
      return kept(failure('UNKNOWN_SESSION', `session ${task.session} is not loaded here`));
    }
    const { engine } = held;
    const startMs = performance.now();
    let results: SessionTensor[];
    try {
      results = await held.session.run(this.#inputs(task, held.signature), task.outputs);
    } catch (error) {
      throwIfBroken(engine, error);
      return kept(failure(engine.isOutOfMemory(error) ? 'OUT_OF_MEMORY' : 'RUN_FAILED', reason(error)));
    }
    const rows = task.inputs[0]?.shape[0];
    if (held.loaded.batching === 'rows' && results.some((result) => result.shape[0] !== rows)) {
      const given = results.map((result) => result.shape[0]).join();
      return kept(failure('ROWS_MISMATCH', `${String(rows)} rows went in, [${given}] came out`));
    }
    const region = { byteOffset: task.resultOffset, bytes: task.resultBytes };
    const { outputs, moved } = storeResults(this.#arena, region, results);
    const runUs = (performance.now() - startMs) * 1000;
    return { reply: { kind: 'ran', outputs, runUs, heapBytes: engine.heapBytes() }, moved };
  }

  async load(task: LoadTask): Promise<WorkerReply> {
    const existing = this.#sessions.get(task.session);
    if (existing !== undefined) return existing.loaded;
    const startMs = performance.now();
    const engine = await engineOfThread();
    const heapBefore = engine.heapBytes();
    let session: LoadedSession;
    try {
      session = await open(task);
    } catch (error) {
      throwIfBroken(engine, error);
      return failure('MODEL_INVALID', reason(error));
    }
    const difference = session.signatureDifference();
    if (difference !== undefined) {
      await session.release();
      return failure('SIGNATURE_MISMATCH', difference);
    }
    const loadedMs = performance.now();
    const { batching: found, note, costs } = await warmUp(session, task, engine);
    const batching = task.batching ?? found;
    const warmMs = performance.now() - loadedMs;
    const heapBytes = engine.heapBytes();
    const heapGrownBytes =
      heapBytes === undefined ? undefined : heapBytes - (heapBefore ?? engine.emptyHeapBytes());
    const loadMs = loadedMs - startMs;
    const loaded: Loaded = {
      kind: 'loaded',
      batching,
      note,
      costs,
      loadMs,
      warmMs,
      heapBytes,
      heapGrownBytes,
    };
    const { signature } = task;
    this.#sessions.set(task.session, {
      session: batching === 'rows' ? takingRows(session, signature) : session,
      signature,
      loaded,
      engine,
    });
    return loaded;
  }

  async unload(id: number): Promise<WorkerReply> {
    const held = this.#sessions.get(id);
    this.#sessions.delete(id);
    await held?.session.release();
    return { kind: 'unloaded' };
  }

  #inputs(task: RunTask, signature: ModelSignature): SessionTensor[] {
    return task.inputs.map((input, index) => {
      const spec = signature.inputs[index];
      if (spec === undefined) throw new RangeError(`the model has no input ${index}`);
      return inputTensor(this.#arena, spec, input);
    });
  }
}

function open({ model, signature, chain }: LoadTask): Promise<LoadedSession> {
  return chain === undefined
    ? OnnxSession.create(model, signature)
    : SessionChain.open(model, chain, (file, own) => OnnxSession.create(file, own));
}

/** Fewer rows than a run has only where they are independent: elsewhere what fills them up would change the answers. */
function takingRows(session: LoadedSession, signature: ModelSignature): LoadedSession {
  const { fixedRows } = signature;
  return fixedRows === undefined ? session : new FixedRowsSession(session, signature, fixedRows);
}

/**
 * A library that answers nothing any more, as opposed to a model that refuses its inputs: that is a broken invariant of the
 * thread and not of the request, and whoever owns the host must replace it.
 */
function throwIfBroken(engine: Engine, error: unknown): void {
  if (engine.isBroken(error)) throw error;
}

function kept(reply: WorkerReply): HostReply {
  return { reply, moved: [] };
}

function failure(code: WorkerFailure['code'], detail: string): WorkerFailure {
  return { kind: 'failed', code, detail };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
