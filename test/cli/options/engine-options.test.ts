/** `serve --engine`: what is said before anything starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type EngineOptions, threadsOf } from '../../../cli/options/engine-options.ts';
import { runCli } from '../../../cli/run.ts';

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

test.each(['0', '65', '1.5', 'all'])('%s threads for one run are refused', async (number) => {
  const { code, err } = await serve('--intra-op-threads', number);
  expect(code).toBe(2);
  expect(err).toMatch(/number from 1 to 64/);
});

test('more threads than their runs have cores for are refused with the numbers', async () => {
  const { code, err } = await serve('--threads', '64', '--intra-op-threads', '2');
  expect(code).toBe(1);
  expect(err).toMatch(/intra-op-threads 2 keep \d+ cores at work.*, and there are \d+ in all/);
});

test('more threads for one run than there are cores are refused, without --threads too', () => {
  const message = expect.stringMatching(
    /--intra-op-threads 9 keep 9 cores .* there are 8 in all.*Give --intra-op-threads 8 or fewer/,
  ) as string;
  for (const more of [{}, { threads: 1 }, { processes: 2 }]) {
    expect(() => threadsOf({ ...base, ...more, intraOpThreads: 9 }, 8)).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_THREADS', message }),
    );
  }
});

const base = { engine: 'wasm', processes: 1, intraOpThreads: 1 } as const;
interface Case {
  readonly what: string;
  readonly options: Partial<EngineOptions>;
  readonly threads: number | undefined;
}

test.each<Case>([
  { what: 'leaves it to the gateway by default', options: {}, threads: undefined },
  { what: 'takes what is given, more than cores too', options: { threads: 16 }, threads: 16 },
  { what: 'divides the cores among processes', options: { processes: 3 }, threads: 2 },
  { what: 'is one at least', options: { processes: 16, intraOpThreads: 4 }, threads: 1 },
  { what: 'counts the threads of a run', options: { processes: 2, intraOpThreads: 2 }, threads: 2 },
  { what: 'takes as many as there is room for', options: { threads: 4, intraOpThreads: 2 }, threads: 4 },
])('on 8 cores it $what', ({ options, threads }) => {
  expect(threadsOf({ ...base, ...options }, 8)).toBe(threads);
});

test('threads of several processes are counted together', () => {
  const options = { ...base, threads: 2, processes: 2, intraOpThreads: 4 };
  expect(() => threadsOf(options, 8)).toThrow(
    expect.objectContaining({
      code: 'TOO_MANY_THREADS',
      message: expect.stringMatching(
        /keep 8 cores at work in each of 2 processes, and there are 8/,
      ) as string,
    }),
  );
});
