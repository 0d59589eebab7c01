/**
 * `npm run test:native`: the tests that hold answers against direct runs, and those of threads and batches, with the native
 * engine. The library is no dependency, so it is installed beside the peers of the benchmarks first (peers/ort-node.ts).
 *
 * Left out are tests that end a thread in the middle of a run, which native code does not survive (docs/engines.md),
 * and those that look into the memory of WebAssembly.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findOrtNode } from './peers/ort-node.ts';
import { projectRoot } from './project-root.ts';

const tests = [
  ...['find-engine', 'replicas', 'worker-pool'].map((name) => `runtime/pool/${name}`),
  ...['arena-tensors', 'native-engine', 'warm-up'].map((name) => `runtime/worker/${name}`),
  ...['batching', 'datatypes', 'failing-models', 'large-bodies', 'predictions'].map((name) => `e2e/${name}`),
  ...['response-cache', 'scikit-models', 'sequences', 'shapes'].map((name) => `e2e/${name}`),
].map((name) => `test/${name}.test.ts`);

const found = findOrtNode(true);
if (!found.ok) {
  console.error(found.reason);
  process.exit(1);
}
const root = fileURLToPath(projectRoot);
const modules = resolve(found.file, '../../..');
const { status } = spawnSync('npx', ['vitest', 'run', '--config', 'test/vitest.config.ts', ...tests], {
  cwd: root,
  env: { ...process.env, TIDEGATE_ENGINE: 'native', NODE_PATH: modules },
  stdio: 'inherit',
});
process.exit(status ?? 1);
