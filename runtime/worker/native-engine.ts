/**
 * onnxruntime-node: native code, which users may install beside the gateway and which is no dependency of it. It has the
 * memory of the whole process: what it takes cannot be told from what others take, an error of its allocator is the error
 * of one run, and a fault in it ends the process with all of its threads.
 */
import type { InferenceSession, TensorConstructor } from 'onnxruntime-web';
import type { NumericArray } from '../tensor/dtype.ts';
import type { Engine } from './engine.ts';

/** What is used of the library. */
interface NativeLibrary {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

/** Rejects when there is no such module, when it cannot be loaded here, or when it is something else. */
export async function openNativeEngine(moduleUrl: string, intraOpThreads: number): Promise<Engine> {
  const library = libraryOf(await import(moduleUrl));
  const options: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
  };
  return {
    Tensor: library.Tensor,
    // It is ready as soon as it is imported.
    start: () => Promise.resolve(),
    createSession: (model) => library.InferenceSession.create(model, options),
    readable: ownCopy,
    heapBytes: () => undefined,
    emptyHeapBytes: () => 0,
    isBroken: () => false,
    isOutOfMemory: () => false,
  };
}

/** The library reads elements where they are during the run, but not in shared memory. */
function ownCopy(elements: NumericArray): NumericArray {
  return elements.buffer instanceof ArrayBuffer ? elements : elements.slice();
}

/** A CommonJS module: what it has to offer may be seen only below its default export. */
function libraryOf(module: unknown): NativeLibrary {
  if (isLibrary(module)) return module;
  const whole =
    typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
  if (isLibrary(whole)) return whole;
  throw new TypeError('it is no onnxruntime');
}

function isLibrary(value: unknown): value is NativeLibrary {
  return typeof value === 'object' && value !== null && 'InferenceSession' in value && 'Tensor' in value;
}
