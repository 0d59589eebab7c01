/** Where the native library is looked for, and what is said when it is not there or no use. */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findEngine } from '../../../runtime/pool/find-engine.ts';

let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tidegate-engine-')));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A folder with a package of that name in it. */
function installed(name: string, entry: (file: string) => void): string {
  const home = join(folder, name);
  const library = join(home, 'node_modules/onnxruntime-node');
  mkdirSync(library, { recursive: true });
  writeFileSync(join(library, 'package.json'), JSON.stringify({ main: 'index.mjs' }));
  entry(join(library, 'index.mjs'));
  return home;
}

test('WebAssembly needs nothing', async () => {
  const found = await findEngine({ name: 'wasm', intraOpThreads: 1, folder });
  expect(found).toEqual({ ok: true, engine: { name: 'wasm', intraOpThreads: 1 } });
});

test('the native library is found from a folder below the one in which it was installed', async () => {
  const home = installed('good', (file) => {
    cpSync(new URL('../worker/fake-native.mjs', import.meta.url), file);
  });
  const below = join(home, 'models');
  mkdirSync(below);
  const found = await findEngine({ name: 'native', intraOpThreads: 2, folder: below });
  const moduleUrl = pathToFileURL(join(home, 'node_modules/onnxruntime-node/index.mjs')).href;
  expect(found).toEqual({ ok: true, engine: { name: 'native', moduleUrl, intraOpThreads: 2 } });
});

test('where it is missing, what is said tells what to install and how', async () => {
  const { NODE_PATH } = process.env;
  // With the real library in the path, as npm run test:native has it, nothing is missing.
  if (NODE_PATH !== undefined) return;
  const found = await findEngine({ name: 'native', intraOpThreads: 1, folder });
  expect(found).toMatchObject({ ok: false, code: 'ENGINE_MISSING' });
  expect(found).toHaveProperty(
    'message',
    expect.stringMatching(/"ONNXRUNTIME_NODE_INSTALL=skip npm i onnxruntime-node"/),
  );
});

test('where it cannot be loaded, the reason is told', async () => {
  const home = installed('broken', (file) => {
    writeFileSync(file, "throw new Error('libonnxruntime.so.1: cannot open shared object file');");
  });
  const found = await findEngine({ name: 'native', intraOpThreads: 1, folder: home });
  expect(found).toMatchObject({ ok: false, code: 'ENGINE_UNUSABLE' });
  expect(found).toHaveProperty('message', expect.stringMatching(/cannot be loaded: libonnxruntime\.so\.1/));
});
