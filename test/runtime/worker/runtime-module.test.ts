/**
 * The code of the runtime is compiled once for the process: what is instantiated first on a thread is what another thread
 * had, whatever bytes the library offers. The file here is the smallest WebAssembly there is, eight bytes.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setEnvironmentData, Worker } from 'node:worker_threads';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import {
  adoptRuntimeModule,
  runtimeModule,
  shareRuntimeModule,
} from '../../../runtime/worker/runtime-module.ts';
import { isNative } from '../engine-under-test.ts';
import { startTestPool } from '../pool/pool-under-test.ts';

const key = 'tidegate.runtime-module';
const placeholder = new Uint8Array(1);
const missing = new URL('file:///nowhere/runtime.wasm');

interface Instantiated {
  readonly module: object;
}
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly instantiate: (bytes: Uint8Array, imports: object) => Promise<Instantiated>;
};

afterEach(() => {
  setEnvironmentData(key, undefined);
});

function instantiate(): Promise<Instantiated> {
  return WebAssembly.instantiate(placeholder, {});
}

async function smallestFile(): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'smallest.wasm');
  await writeFile(file, Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  return pathToFileURL(file);
}

test('a file that cannot be read fails one instantiation, and the next is as ever', async () => {
  shareRuntimeModule(missing);
  await expect(instantiate()).rejects.toThrow('ENOENT');
  await expect(instantiate()).rejects.toThrow('WebAssembly.instantiate()');
  expect(runtimeModule()).toBeUndefined();
});

test('what is there is taken and nothing is read, and threads start with it', async () => {
  shareRuntimeModule(await smallestFile());
  const { module } = await instantiate();
  adoptRuntimeModule({});
  shareRuntimeModule(missing);
  expect((await instantiate()).module).toBe(module);
  const thread = new Worker(
    `const { parentPort, getEnvironmentData } = require('node:worker_threads');
     parentPort.postMessage(getEnvironmentData('${key}') instanceof WebAssembly.Module);`,
    { eval: true },
  );
  onTestFinished(() => void thread.terminate());
  expect(await new Promise((resolve) => thread.once('message', resolve))).toBe(true);
});

test.skipIf(isNative)('the first thread of a pool leaves its code to those after it', async () => {
  const { close } = await startTestPool({ threads: 1 });
  await close();
  expect(runtimeModule()).toBeInstanceOf(WebAssembly.Module);
});
