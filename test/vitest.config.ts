/**
 * How the tests run: every *.test.ts below test/, against the sources; threads load their code from dist/.
 *
 * Most of a short test's time is that of its process and imports. Files that start nothing but what they end, and change
 * nothing of the process, share one; the others have a process each.
 */
import { defineConfig } from 'vitest/config';

const sharing = [
  'test/checks/**',
  'test/cli/bench/**',
  'test/client/**',
  'test/conformance-suite/**',
  'test/deploy/**',
  'test/e2e/**',
  'test/gateway/**',
  'test/registry-store/**',
  'test/runtime/tensor/**',
  'test/simulation/**',
].map((folder) => `${folder}/*.test.ts`);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'shared', include: sharing, isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
  },
});
