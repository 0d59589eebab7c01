/**
 * How the tests run: every *.test.ts below test/, against the sources; threads load their code from dist/.
 *
 * Most of a short test's time is that of its process and imports. Files that start nothing but what they end, and change
 * nothing of the process, share one; the others have a process each.
 */
import { defineConfig } from 'vitest/config';

/** Of the tests of commands: other clocks, folders and signals for the whole process, and what it holds until it ends. */
const changing = ['engine-options', 'keys', 'pipeline-page', 'state-hold', 'store-page', 'upkeep'];
const sharing = [
  'test/bench/{load,report}/**',
  'test/checks/**',
  'test/cli/{bench,rollout}/**',
  'test/client/**',
  'test/conformance-suite/**',
  'test/deploy/**',
  'test/e2e/**',
  'test/gateway/**',
  'test/registry-store/**',
  'test/runtime/tensor/**',
  'test/simulation/**',
]
  .map((folder) => `${folder}/*.test.ts`)
  .concat('test/bench/*.test.ts', `test/cli/!(${changing.join('|')}).test.ts`);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A bound: a process or a thread may stand still for longer than the second that is usual.
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    // Gateways under test have threads of their own: two keep two cores busy, and three take as long.
    maxWorkers: 2,
    globalSetup: 'test/memory-folder.ts',
    projects: [
      { extends: true, test: { name: 'shared', include: sharing, isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
  },
});
