/**
 * What the tests run models with: WebAssembly, or with `TIDEGATE_ENGINE=native` (as `npm run test:native` has it, with the
 * library in `NODE_PATH`) the native library; with `TIDEGATE_INTRA_OP_THREADS=2` on several threads a run. Answers are held against those of WebAssembly either way.
 */
import * as web from 'onnxruntime-web';
import { findEngine } from '../../runtime/pool/find-engine.ts';
import type { EngineChoice } from '../../runtime/protocol/engine-choice.ts';

export const isNative: boolean = process.env['TIDEGATE_ENGINE'] === 'native';

/** The same sums in another order: the same float may differ by this much, relative, with the native library. */
export const engineToleranceRatio = 1e-4;

export async function engineUnderTest(): Promise<EngineChoice> {
  const name = isNative ? 'native' : 'wasm';
  const intraOpThreads = Number(process.env['TIDEGATE_INTRA_OP_THREADS'] ?? 1);
  const found = await findEngine({ name, intraOpThreads, folder: process.cwd() });
  if (!found.ok) throw new Error(found.message);
  return found.engine;
}

/** The library itself, for direct runs that answers of threads are held against bit by bit. */
export async function libraryUnderTest(): Promise<Pick<typeof web, 'InferenceSession' | 'Tensor'>> {
  const engine = await engineUnderTest();
  web.env.wasm.numThreads = 1;
  if (engine.name === 'wasm') return web;
  const native = (await import(engine.moduleUrl)) as { readonly default: typeof web };
  return native.default;
}
