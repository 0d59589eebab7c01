/**
 * What sessions need of the library that runs them. There are two, with one JavaScript interface (onnxruntime-common) and
 * differences behind it: what memory they read, what they tell of theirs, and how they break.
 */
import type { InferenceSession, TensorConstructor } from 'onnxruntime-web';
import type { NumericArray } from '../tensor/dtype.ts';

export interface Engine {
  readonly Tensor: TensorConstructor;
  /**
   * Does ahead of the first session what the library does with it, where that takes long. Throws what the library throws
   * where it cannot run at all.
   */
  start(): Promise<void>;
  /** Throws what the library throws when the bytes are not a model that it can load. They may be reused afterwards. */
  createSession(model: Uint8Array): Promise<InferenceSession>;
  /** The same elements where the library can read them during a run; a copy when it cannot read them where they are. */
  readable(elements: NumericArray): NumericArray;
  /** Memory that the library holds on this thread and never gives back, bytes; undefined where nobody can tell. */
  heapBytes(): number | undefined;
  /** What of it there was before the library held any model, bytes; 0 where nobody can tell. */
  emptyHeapBytes(): number;
  /** Whether this error means that the library answers nothing any more, so that the thread must be replaced. */
  isBroken(error: unknown): boolean;
  /** Whether this error means that it found no room, and that another run of any size may find none either. */
  isOutOfMemory(error: unknown): boolean;
}
