/**
 * Everything that crosses a thread, in both directions: plain data, discriminated by `kind`. Tensor elements are not
 * in here but in the shared arena; a task says where. Strings and results too large for their region are the
 * exceptions, and travel inside.
 */
import type { ChainLink } from '../tensor/chain.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import type { EngineChoice } from './engine-choice.ts';

/** What a thread gets when it starts. */
export interface WorkerStart {
  readonly arena: SharedArrayBuffer;
  /** What it runs models with. */
  readonly engine: EngineChoice;
}

export type WorkerTask = WhereTask | HelloTask | LoadTask | RunTask | UnloadTask;

/** Asks for the number of the thread, before anything costs time. */
export interface WhereTask {
  readonly kind: 'where';
}

/** Proves that the worker module loads before anything depends on it, and starts the runtime. */
export interface HelloTask {
  readonly kind: 'hello';
}

export interface LoadTask {
  readonly kind: 'load';
  /** Names the session in later tasks; never used twice in a process. */
  readonly session: number;
  /** The ONNX file. It is moved to the thread, which lets go of it when it has loaded. */
  readonly model: Uint8Array;
  /** It is given back with the answer, for another thread. */
  readonly givesBack?: boolean | undefined;
  /** What the manifest promises; loading fails when the file says otherwise. */
  readonly signature: ModelSignature;
  /** Several models that run as one: `model` holds their files one behind the other, `signature` is that of the whole. */
  readonly chain?: readonly ChainLink[] | undefined;
  /** Row counts to run and measure before the session counts as warm, ascending. */
  readonly warmRows: readonly number[];
  /** Measure one run too of a model whose rows are not joined. */
  readonly costAlone?: true;
  /** The costs are known: every size is run once, to be warm, and not measured. */
  readonly isMeasured?: true;
  /** How it is batched is known, and requests are formed for that: this thread has to do as the others, whatever it finds. */
  readonly batching?: ModelSignature['batching'] | undefined;
}

export interface UnloadTask {
  readonly kind: 'unload';
  readonly session: number;
}

export interface RunTask {
  readonly kind: 'run';
  readonly session: number;
  /** In the order of the signature. */
  readonly inputs: readonly RunInput[];
  /** Indexes into the signature's outputs, in the order wanted; undefined means all. */
  readonly outputs: readonly number[] | undefined;
  /** Where numeric results go: `[resultOffset, resultOffset + resultBytes)` of the arena. */
  readonly resultOffset: number;
  readonly resultBytes: number;
}

export type RunInput =
  /** Packed elements in the arena; more than one piece when the batch spans slabs, to be joined in order. */
  | { readonly shape: readonly number[]; readonly pieces: readonly ArenaPiece[] }
  | { readonly shape: readonly number[]; readonly strings: readonly string[] };

export interface ArenaPiece {
  readonly byteOffset: number;
  readonly elements: number;
}

export type WorkerReply = Here | Hello | Loaded | Ran | Unloaded | WorkerFailure;

export interface Here {
  readonly kind: 'here';
  /** As the operating system counts threads; undefined where there is no telling. */
  readonly osThread: number | undefined;
}

export interface Hello {
  readonly kind: 'hello';
  /** The code of its runtime, for other threads; left out where it has none to share. */
  readonly runtime?: object | undefined;
}

export interface Loaded {
  readonly kind: 'loaded';
  /** `none` when the probe showed that rows of one run are not independent, whatever the signature hoped. */
  readonly batching: ModelSignature['batching'];
  /** Why batching was turned off, for the log. */
  readonly note: string | undefined;
  /** What runs of several sizes cost on this thread, ascending by rows; sizes that would take too long are missing. */
  readonly costs: readonly RunCost[];
  readonly loadMs: number;
  readonly warmMs: number;
  /** Memory of the thread that its library never gives back, from now on, bytes; left out where it cannot be seen. */
  readonly heapBytes?: number | undefined;
  /** By how much it grew for this session. */
  readonly heapGrownBytes?: number | undefined;
  /** The file, where the task asks for it. */
  readonly model?: Uint8Array;
}

export interface RunCost {
  readonly rows: number;
  /** Shortest of a few runs, microseconds. */
  readonly us: number;
}

export interface Unloaded {
  readonly kind: 'unloaded';
}

export interface Ran {
  readonly kind: 'ran';
  readonly outputs: readonly RunOutput[];
  /** Time inside the runtime, copies into and out of its heap included, microseconds. */
  readonly runUs: number;
  /** Memory of the thread that its library never gives back, from now on, bytes; left out where it cannot be seen. */
  readonly heapBytes?: number | undefined;
}

/** One output: elements in the result region, moved as a buffer when they did not fit, or strings. */
export type RunOutput =
  | { readonly shape: readonly number[]; readonly byteOffset: number }
  | { readonly shape: readonly number[]; readonly moved: ArrayBuffer }
  | { readonly shape: readonly number[]; readonly strings: readonly string[] };

export type WorkerFailureCode =
  /** The bytes are not a model this runtime can load. */
  | 'MODEL_INVALID'
  /** The file's inputs or outputs are not those of the manifest. */
  | 'SIGNATURE_MISMATCH'
  /** The runtime reported an error for these inputs. */
  | 'RUN_FAILED'
  /** A batched run gave another number of rows than it was given. */
  | 'ROWS_MISMATCH'
  /** The task names a session that this thread does not hold. */
  | 'UNKNOWN_SESSION'
  /** The runtime found no room for the run. What it took before it never gives back, so the thread is replaced. */
  | 'OUT_OF_MEMORY'
  /** Not run at all: the session has cost too many threads lately. Said by the lane, not by the thread. */
  | 'QUARANTINED';

export interface WorkerFailure {
  readonly kind: 'failed';
  readonly code: WorkerFailureCode;
  /** For the log, not for clients. */
  readonly detail: string;
}
