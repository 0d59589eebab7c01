/**
 * Finds what is to run the models, and proves once that it can be loaded, before any thread depends on it. WebAssembly is
 * always there. The native library is no dependency: it is looked for where a script in the user's folder would find it.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { EngineChoice, EngineName } from '../protocol/engine-choice.ts';
import { openNativeEngine } from '../worker/native-engine.ts';

export interface EngineRequest {
  readonly name: EngineName;
  /** Threads that one run may use; 1 or more. */
  readonly intraOpThreads: number;
  /** The native library is looked for in `node_modules` here and above, then in `NODE_PATH`, then beside this program. */
  readonly folder: string;
}

export type EngineFound = { readonly ok: true; readonly engine: EngineChoice } | EngineRefusal;

export interface EngineRefusal {
  readonly ok: false;
  /** `ENGINE_MISSING`: it is not installed. `ENGINE_UNUSABLE`: it is, and cannot be loaded here. */
  readonly code: 'ENGINE_MISSING' | 'ENGINE_UNUSABLE';
  /** What is wrong and what to do about it, in whole sentences. */
  readonly message: string;
}

const libraryName = 'onnxruntime-node';
/** Without the variable its install script downloads a CUDA runtime, which is not used here. */
const installCommand = `ONNXRUNTIME_NODE_INSTALL=skip npm i ${libraryName}`;

/** Loads the native library into this process when that is what is asked for; it stays, as its threads need it. */
export async function findEngine({ name, intraOpThreads, folder }: EngineRequest): Promise<EngineFound> {
  if (name === 'wasm') return { ok: true, engine: { name, intraOpThreads } };
  const file = resolveFrom(join(folder, 'package.json')) ?? resolveFrom(import.meta.url);
  if (file === undefined) {
    const message = `The native engine is the package ${libraryName}, which is not installed where this was started. Install it there with "${installCommand}", or leave out --engine native.`;
    return { ok: false, code: 'ENGINE_MISSING', message };
  }
  const engine = { name, moduleUrl: pathToFileURL(file).href, intraOpThreads };
  // Read by native code when it is loaded, so it must be in the environment of the process: no data leaves a node.
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  try {
    await openNativeEngine(engine.moduleUrl, intraOpThreads);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${libraryName} is installed but cannot be loaded: ${reason}. Install it anew with "${installCommand}", or leave out --engine native.`;
    return { ok: false, code: 'ENGINE_UNUSABLE', message };
  }
  return { ok: true, engine };
}

function resolveFrom(place: string): string | undefined {
  try {
    return createRequire(place).resolve(libraryName);
  } catch {
    return undefined;
  }
}
