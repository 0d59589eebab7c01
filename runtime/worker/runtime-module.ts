/**
 * The compiled code of onnxruntime-web: 14 MB that all threads of the process share, whichever had it first. Left to itself
 * the library reads, copies and compiles it for every instance: three blocks of 14 MB, which the allocator keeps for ever
 * where it cannot map them by themselves (docs/benchmarks.md, "Memory"). To be installed before the first session.
 */
import { readFileSync } from 'node:fs';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

/** Code, not yet run; structured clone hands it to other threads without a copy. */
export type RuntimeModule = object;

/** What is needed of `WebAssembly`, which Node has and its types leave to those of browsers. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => RuntimeModule;
  instantiate: (code: unknown, imports: unknown) => Promise<object>;
};

/** Threads start with the environment data of the one that starts them. */
const environmentKey = 'tidegate.runtime-module';

/** Undefined while no thread has compiled it, as far as this one knows. */
export function runtimeModule(): RuntimeModule | undefined {
  return getEnvironmentData(environmentKey) as RuntimeModule | undefined;
}

/** Another thread has it: this one and those that it starts from now on need not make it again. */
export function adoptRuntimeModule(module: RuntimeModule): void {
  if (runtimeModule() === undefined) setEnvironmentData(environmentKey, module);
}

/**
 * Answers the first instantiation on this thread with the shared code, whatever bytes it is asked for: that is the runtime's, which
 * must be given some.
 */
export function shareRuntimeModule(file: URL): void {
  const original = WebAssembly.instantiate;
  WebAssembly.instantiate = async (_bytes, imports) => {
    WebAssembly.instantiate = original;
    if (runtimeModule() === undefined) adoptRuntimeModule(new WebAssembly.Module(readFileSync(file)));
    const module = runtimeModule();
    return { module, instance: await original(module, imports) };
  };
}
