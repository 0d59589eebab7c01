/**
 * onnxruntime-web: WebAssembly, one instance a thread. Its memory only grows, a trap ends it, and both are seen from
 * outside, because nothing it does reaches beyond its own memory.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
// Before the runtime, whose memory it has to see being made.
import { emptyHeapBytes, runtimeHeapBytes } from './runtime-heap.ts';
import { shareRuntimeModule } from './runtime-module.ts';
import * as ort from 'onnxruntime-web';
import type { Engine } from './engine.ts';

ort.env.logLevel = 'error';
// Beside itself is where it looks, but its JavaScript may have been joined with ours (deploy/bundle.mjs).
ort.env.wasm.wasmPaths = { mjs: fileOfRuntime('mjs').href };
// It reads nothing where it is given something; what that is, nobody looks at.
ort.env.wasm.wasmBinary = new Uint8Array(1);
shareRuntimeModule(fileOfRuntime('wasm'));

// A function of the runtime that only registers operators has 887 kB of code. With V8's own budget of 1.8 million it counts
// as hot once two threads have started, and optimising it takes 12 s of processor time and memory that stays with the
// process. With this budget it does not, and what really is hot is still optimised, a few milliseconds later
// (docs/operations/memory.md). The flag is for the whole process, so it must come before the first session.
setFlagsFromString('--wasm-tiering-budget=20000000');

// V8 compiles a function of the runtime when it is first called. Checking all 14 MB of them before that takes a tenth of a
// second of processor time in every thread; with this flag each is checked when it is compiled.
setFlagsFromString('--wasm-lazy-validation');

const sessionOptions: ort.InferenceSession.SessionOptions = {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
};

/** The smallest model there is: `y = Identity(x)`, one float. 63 bytes of ONNX, opset 13. */
const smallestModel = 'CAhCAhANOjcKEAoBeBIBeSIISWRlbnRpdHkSAWdaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggB';

/** `intraOpThreads` counts for every session of this thread; only what comes before the first session is heard. */
export function openWasmEngine(intraOpThreads: number): Engine {
  ort.env.wasm.numThreads = intraOpThreads;
  return {
    Tensor: ort.Tensor,
    // It is compiled with its first session: that takes a hundred times as long as loading a small model.
    start: async () => {
      const session = await ort.InferenceSession.create(Buffer.from(smallestModel, 'base64'), sessionOptions);
      await session.release();
    },
    createSession: (model) => ort.InferenceSession.create(model, sessionOptions),
    // The library copies them into its own memory, from wherever they are.
    readable: (elements) => elements,
    heapBytes: runtimeHeapBytes,
    emptyHeapBytes,
    isBroken: (error) =>
      (error instanceof Error && error.name === 'RuntimeError') || /\bAborted\(/.test(messageOf(error)),
    // The runtime reports most of it as an error of the run, uncaught C++ exceptions as the number of their address, and
    // what JavaScript itself has no room for is a RangeError.
    isOutOfMemory: (error) =>
      typeof error === 'number' ||
      /^\d+$|out of memory|bad_alloc|failed to allocate memory|allocation failed/i.test(messageOf(error)),
  };
}

function fileOfRuntime(ending: 'mjs' | 'wasm'): URL {
  const path = createRequire(import.meta.url).resolve(`onnxruntime-web/ort-wasm-simd-threaded.${ending}`);
  return pathToFileURL(path);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
