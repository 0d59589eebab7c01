/**
 * Loads one model on a thread of its own, as the pool would, warms it, and lets everything go: what a node will say about
 * a model, before there is one. The thread takes a model with it that breaks the runtime.
 */
import { wasmChoice } from '../protocol/engine-choice.ts';
import type { Loaded, LoadTask } from '../protocol/worker-task.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import { type RuntimeRefusal, refusalWords } from '../worker/refusal-words.ts';
import { Lane } from './lane.ts';
import { ThreadSupply } from './thread-supply.ts';

export interface TrialOptions {
  /** The compiled worker module. */
  readonly workerFile: URL;
  /** The ONNX file. Copied, not kept. */
  readonly model: Uint8Array;
  readonly signature: ModelSignature;
  /** Row counts to run and measure beside one row, ascending. */
  readonly warmRows: readonly number[];
  readonly signal: AbortSignal;
}

export interface TrialLoaded extends Loaded {
  /** How much the process grew by a thread with its runtime and this model, about. Bytes. */
  readonly memoryBytes: number;
}

export type TrialOutcome = TrialLoaded | ({ readonly kind: 'refused' } & RuntimeRefusal);

/** A model that is not warm by then will not be, milliseconds. Whoever waits for it can give up earlier. */
const trialMsMax = 10 * 60_000;

/** Nothing of a trial travels through the arena. */
const arenaBytes = 64;

/** Rejects with the reason of the signal when it aborts; the thread is ended whatever it does. */
export async function tryModel(options: TrialOptions): Promise<TrialOutcome> {
  const { signal } = options;
  signal.throwIfAborted();
  const lane = new Lane({
    index: 0,
    threads: new ThreadSupply({
      workerFile: options.workerFile,
      arena: new SharedArrayBuffer(arenaBytes),
      engine: wasmChoice,
      threadMemoryBytesMax: Infinity,
    }),
    resultOffsets: [0, 0],
    resultBytes: 0,
    background: false,
    loadBehindMsMax: 0,
    sessionsToLoad: () => [],
    mayMiss: () => false,
    rulesOf: () => ({ limitMs: trialMsMax, signature: undefined, refusal: undefined }),
    loadMsMax: trialMsMax,
    restartDelayMsMax: trialMsMax,
    onOvergrown: () => undefined,
    onIdle: () => undefined,
    onLost: () => undefined,
  });
  const stop = (): void => void lane.close();
  signal.addEventListener('abort', stop);
  try {
    const task = loadTask(options);
    const beforeBytes = process.memoryUsage.rss();
    const reply = await lane.maintain(task);
    signal.throwIfAborted();
    if (reply.kind === 'loaded') {
      return { ...reply, memoryBytes: Math.max(0, process.memoryUsage.rss() - beforeBytes) };
    }
    if (reply.kind === 'failed') return { kind: 'refused', ...refusalWords(reply) };
    const detail = reply.kind === 'lost' ? reply.detail : `a load was answered with ${reply.kind}`;
    return { kind: 'refused', ...refusalWords({ code: 'LOST', detail }) };
  } finally {
    signal.removeEventListener('abort', stop);
    await lane.close();
  }
}

function loadTask({ model: file, signature, warmRows }: TrialOptions): LoadTask {
  const model = new Uint8Array(file);
  return { kind: 'load', session: 1, model, signature, warmRows, costAlone: true };
}
