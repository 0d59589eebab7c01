/** What a pool is told when it starts, what it tells, and what it answers to a load. */
import type { EngineChoice } from '../protocol/engine-choice.ts';
import type { RunCost, WorkerFailure } from '../protocol/worker-task.ts';
import type { ModelSignature } from '../tensor/signature.ts';
import type { FaultLimits, Quarantine } from './fault-record.ts';
import type { Lane, LaneLost } from './lane.ts';
import type { LaneLoss, LossCause } from './lane-loss.ts';

export interface PoolSettings {
  /** Threads that run models. At least 1. */
  readonly threads: number;
  /** The compiled worker module. */
  readonly workerFile: URL;
  /** What runs the models; default WebAssembly. */
  readonly engine?: EngineChoice;
  /** Address space shared with the threads; memory is only used where it is touched. Bytes. */
  readonly arenaBytes: number;
  /** Size of each of a lane's two result regions; larger results are moved instead. Bytes. */
  readonly resultBytes: number;
  /**
   * A model whose full batch runs in at most this many microseconds also runs on the event loop, where no thread has to
   * be woken for it. 0 keeps every model on the threads.
   */
  readonly inlineRunUsMax: number;
  /**
   * A larger ONNX file never runs on the event loop, because reading it there keeps everybody waiting. Bytes, default
   * 256 KiB.
   */
  readonly inlineModelBytesMax?: number;
  /** Nothing is put on the event loop before `startInline`: threads alone answer sooner. Default false. */
  readonly inlineLater?: boolean;
  /**
   * A run that takes longer, and longer than many times what was measured, counts as hanging: its thread is ended.
   * Milliseconds, default 10 s.
   */
  readonly runMsMax?: number;
  /** The same for a load with its warm-up. Milliseconds, default 5 minutes. */
  readonly loadMsMax?: number;
  /** When a session that costs threads is no longer run. */
  readonly faults?: FaultLimits;
  /** Longest pause before a lost thread is started again, milliseconds, default 10 s. */
  readonly restartDelayMsMax?: number;
  /**
   * WebAssembly memory of one thread above which a fresh one takes its place, because it never gives anything back. Bytes,
   * default 1 GiB.
   */
  readonly threadMemoryBytesMax?: number;
  /**
   * A lane that is in use, and the only one to run some session, loads beside its work, on a thread that then takes its place:
   * that costs the memory of a second thread for the moment, and loading all that the lane holds once more. False loads
   * between two batches, which then wait. Default true.
   */
  readonly loadsBeside?: boolean;
  /**
   * For so long what is loaded beside the work of a lane takes only time that no other thread of the machine wants, where the
   * process may raise priorities again (`mayBringBack`) and no caller waits for it; every lane in use then loads beside. Milliseconds, default 0 for never.
   */
  readonly loadBehindMsMax?: number;
  /**
   * For so long the thread is kept whose place another took, with all that it holds: whatever is loaded beside a lane meanwhile
   * is loaded there. Milliseconds, default 0 for never.
   */
  readonly spareMsMax?: number;
  /** Its threads run when nothing else wants to, where the operating system can do that. Default false. */
  readonly background?: boolean;
}

/** What a pool tells whoever owns the queue. */
export interface PoolEvents {
  readonly onIdle: (lane: Lane) => void;
  readonly onLost: (lane: Lane, loss: LaneLoss) => void;
  /** From now on, and for a while, runs of the session are answered `QUARANTINED`. */
  readonly onQuarantine?: (quarantine: Quarantine) => void;
  /** Its time is over: it is run again. */
  readonly onRelease?: (session: number) => void;
  /** The lane on the event loop is lost for good; its models go on running on the threads. */
  readonly onInlineLost: (detail: string) => void;
}

/** Without events for one that is to listen later, see `WorkerPool.listen`. */
export type PoolOptions = PoolSettings & Partial<PoolEvents>;

export interface LoadedModel {
  readonly kind: 'loaded';
  readonly session: number;
  readonly batching: ModelSignature['batching'];
  /** Why rows are not joined although the signature allows it. */
  readonly note: string | undefined;
  /** True when the event loop's own lane holds the model too, or will once it is started: its runs are cheaper than waking a thread. */
  readonly inline: boolean;
  /** Of the lane that was fastest. Ascending by rows; empty for a model whose rows are not joined. */
  readonly costs: readonly RunCost[];
  /** Longest time any lane needed, milliseconds. */
  readonly loadMs: number;
  readonly warmMs: number;
  /** On how many lanes it is. */
  readonly replicas: number;
  /** About what it takes on all of them together, bytes: see `sessionBytes`. */
  readonly memoryBytes: number;
}

/** It needs more than `memoryBytesMax`; nothing of it stays loaded. */
export interface OverMemory {
  readonly kind: 'over_memory';
  readonly memoryBytes: number;
}

export type LoadOutcome = LoadedModel | OverMemory | WorkerFailure | LaneLost;

/** Why a thread went: lost, by cause; grown too large; or because its successor had loaded what was new. */
export type ThreadChange = LossCause | 'overgrown' | 'loaded_beside';
