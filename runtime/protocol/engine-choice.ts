/** Which runtime the threads of a pool run models with. Chosen once for a process, told to each thread when it starts. */

/** `wasm`: onnxruntime-web, which is always there. `native`: onnxruntime-node, when the user has installed it. */
export const engineNames = ['wasm', 'native'] as const;

export type EngineName = (typeof engineNames)[number];

export type EngineChoice = WasmChoice | NativeChoice;

export interface WasmChoice {
  readonly name: 'wasm';
  /** Threads that one run may use, the one that starts it included; 1 or more. */
  readonly intraOpThreads: number;
}

export interface NativeChoice {
  readonly name: 'native';
  /** Where the library is, as a URL that can be imported. */
  readonly moduleUrl: string;
  readonly intraOpThreads: number;
}

/** What runs models unless somebody says otherwise. */
export const wasmChoice: EngineChoice = { name: 'wasm', intraOpThreads: 1 };
