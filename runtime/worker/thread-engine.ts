/**
 * The one engine of this thread. A library keeps what it knows for the whole thread, so that there is one whoever asks, and
 * it is only imported when the first session is created: a thread that runs nothing costs nothing of it.
 */
import { type EngineChoice, wasmChoice } from '../protocol/engine-choice.ts';
import type { Engine } from './engine.ts';

let choice: EngineChoice | undefined;
let engine: Promise<Engine> | undefined;

/** Before the first session; afterwards only the same again. Throws when the thread runs models with another one. */
export function chooseEngine(wanted: EngineChoice): void {
  if (engine !== undefined && JSON.stringify(wanted) !== JSON.stringify(choice)) {
    throw new Error(`this thread runs models with the engine ${choice?.name ?? wasmChoice.name} already`);
  }
  choice = wanted;
}

/** Rejects, and goes on rejecting, when the library cannot be loaded. */
export function engineOfThread(): Promise<Engine> {
  choice ??= wasmChoice;
  engine ??= open(choice);
  return engine;
}

async function open(chosen: EngineChoice): Promise<Engine> {
  switch (chosen.name) {
    case 'wasm': {
      const { openWasmEngine } = await import('./wasm-engine.ts');
      return openWasmEngine(chosen.intraOpThreads);
    }
    case 'native': {
      const { openNativeEngine } = await import('./native-engine.ts');
      return openNativeEngine(chosen.moduleUrl, chosen.intraOpThreads);
    }
  }
}
