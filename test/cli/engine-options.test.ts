/** `serve --engine`: what is said before anything starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runCli } from '../../cli/run.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidegate-engine-'));
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function serve(...args: readonly string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const code = await runCli(['serve', '--store', join(folder, 'none'), '--state', folder, ...args], {
    out: () => undefined,
    err: (text) => (err += text),
  });
  return { code, err };
}

test.each([[[]], [['--processes', '2']]])(
  'without the library native is refused, with %j too',
  async (more) => {
    const { code, err } = await serve('--engine', 'native', ...more);
    expect(code).toBe(1);
    expect(err).toMatch(/ONNXRUNTIME_NODE_INSTALL=skip npm i onnxruntime-node/);
    expect(err).not.toMatch(/store/i);
  },
);

test('another engine is refused with those that there are', async () => {
  const { code, err } = await serve('--engine', 'cuda');
  expect(code).toBe(2);
  expect(err).toMatch(/wasm, native/);
});
