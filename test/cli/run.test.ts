/** The command line from the outside: what it prints, what it returns, and that a person never sees a stack. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { type ExitCode, runCli } from '../../cli/run.ts';
import { TemporaryStore } from '../registry-store/temporary-store.ts';

interface Ran {
  readonly code: ExitCode;
  readonly out: string;
  readonly err: string;
}

let store: TemporaryStore;

beforeEach(async () => {
  store = await TemporaryStore.make();
});

async function run(...args: readonly string[]): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await runCli(args, { out: (text) => (out += text), err: (text) => (err += text) });
  expect(out + err).not.toMatch(/^\s+at /m);
  return { code, out, err };
}

function inStore(...args: readonly string[]): Promise<Ran> {
  return run(...args, '--store', store.folder, '--keys', store.keysFolder);
}

function modelFile(version: '1.0.0' | '2.0.0'): string {
  return fileURLToPath(new URL(`../../deploy/demo/models/iris-${version}.onnx`, import.meta.url));
}

describe('from nothing to a live model', () => {
  test('for a person', async () => {
    expect(await inStore('init')).toMatchObject({
      code: 0,
      out: expect.stringContaining(store.pinnedRootPath) as string,
    });
    const published = await inStore(
      ...['publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--framework', 'scikit-learn'],
      ...[
        '--author',
        'Ada',
        '--metric',
        'accuracy=0.97',
        '--metric',
        'loss=0.1',
        '--tag',
        'demo',
        '--tag',
        'small',
      ],
    );
    expect(published).toMatchObject({ code: 0, err: '' });
    expect(published.out).toContain('Published iris 1.0.0');
    expect(published.out).toContain('features FP32 [-1, 4]');
    await inStore('publish', 'iris', modelFile('2.0.0'), '--version', '2.0.0');
    expect((await inStore('deploy', 'iris', '--version', '1.0.0')).out).toContain('iris 1.0.0 is live');
    expect((await inStore('deploy', 'iris', '--version', '2.0.0', '--why', 'better')).out).toContain(
      '1.0.0 is kept',
    );
    expect((await inStore('deploy', 'iris', '--version', '2.0.0')).out).toContain('nothing changed');
    const { out } = await inStore('status');
    expect(out).toMatch(
      /previous +1\.0\.0 +staged .*scikit-learn +Ada +accuracy=0\.97 loss=0\.1 +demo small/,
    );
    expect(out).toMatch(/\* live +2\.0\.0/);
    expect(out).toMatch(/timestamp +v5 +until \d{4}-/);
    expect(out).toContain('better');
  });

  test('for a program', async () => {
    const json = async (...args: readonly string[]): Promise<unknown> => {
      const { out, code } = await inStore(...args, '--json');
      expect(code).toBe(0);
      return JSON.parse(out);
    };
    expect(await json('init')).toMatchObject({ pinned_root: store.pinnedRootPath });
    expect(
      await json('publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0', '--metric', 'accuracy=0.97'),
    ).toMatchObject({ name: 'iris', metrics: { accuracy: 0.97 }, signature: { batching: 'rows' } });
    expect(await json('deploy', 'iris', '--version', '1.0.0')).toEqual({
      model: 'iris',
      version: '1.0.0',
      previous_version: null,
      changed: true,
      revision: 3,
    });
    expect(await json('status')).toMatchObject({
      revision: 3,
      models: [{ name: 'iris', live: '1.0.0', previous: null, versions: [{ version: '1.0.0' }] }],
    });
  });
});

describe('a command line that is wrong ends with 2 and says why:', () => {
  test.each([
    [['stauts'], /unknown command 'stauts'[^]*status/],
    [['status', '--jsno'], /unknown option '--jsno'/],
    [['publish', 'iris', '--version', '1'], /missing required argument 'file'/],
    [['publish', 'iris', 'x.onnx'], /required option '--version/],
    [['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'accuracy'], /name=number/],
    [['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'accuracy=high'], /high is not a number/],
    [
      ['publish', 'iris', 'x.onnx', '--version', '1', '--metric', 'a=1', '--metric', 'a=2'],
      /a is given twice/,
    ],
    [
      ['publish', 'iris', 'x.onnx', '--version', '1', '--stage', 'archived'],
      /Allowed choices are training, staged/,
    ],
    [['deploy', 'iris', '--version', '1', 'extra'], /too many arguments/],
    [[], /Usage: tidegate/],
  ])('%j', async (args, message) => {
    const { code, out, err } = await run(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(out).toBe('');
  });
});

describe('what cannot be done ends with 1 and says what to do:', () => {
  test.each([
    [['status'], /no store at .*tidegate init/],
    [['deploy', 'iris', '--version', '1'], /no store at/],
    [
      ['publish', 'iris', '/nowhere/x.onnx', '--version', '1'],
      /\/nowhere\/x\.onnx cannot be read \(ENOENT\)/,
    ],
  ])('without a store: %j', async (args, message) => {
    const { code, err } = await inStore(...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err).toMatch(/^error: /);
  });

  test('with a store', async () => {
    await inStore('init');
    await inStore('publish', 'iris', modelFile('1.0.0'), '--version', '1.0.0');
    const junk = join(store.base, 'junk.onnx');
    await writeFile(junk, 'junk');
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['init'], /already/],
      [['publish', 'iris', modelFile('2.0.0'), '--version', '1.0.0'], /published already/],
      [['publish', 'stats', modelFile('1.0.0'), '--version', '1.0.0'], /\/v2\/models\/stats/],
      [['publish', 'junk', junk, '--version', '1.0.0'], /NOT_ONNX/],
      [['deploy', 'iris', '--version', '9'], /no version "9"\. It has: 1\.0\.0/],
      [['deploy', 'tulip', '--version', '1'], /no model "tulip"\. It has: iris/],
    ];
    for (const [args, message] of cases) {
      const { code, err } = await inStore(...args);
      expect(code, args.join(' ')).toBe(1);
      expect(err).toMatch(message);
    }
  });

  test('as JSON on request, with the name of the check', async () => {
    await inStore('init');
    await store.write(
      'metadata/timestamp.json',
      (await readFile(store.path('metadata/timestamp.json'))).subarray(1),
    );
    const { code, err } = await inStore('status', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(err)).toMatchObject({ code: 'STORE_REFUSED', check: 'canonical-bytes' });
  });
});

describe('help', () => {
  test.each([[[]], [['init']], [['publish']], [['deploy']], [['status']]])(
    'of %j has examples',
    async (command) => {
      const { code, out } = await run(...command, '--help');
      expect(code).toBe(0);
      expect(out).toContain('Examples:\n  $ tidegate');
    },
  );
});

test('the compiled command runs as a program', () => {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const version = spawnSync(process.execPath, [main, '--version'], { encoding: 'utf8' });
  expect(version).toMatchObject({ status: 0, stderr: '' });
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  const env = { ...process.env, TIDEGATE_STORE: store.folder, TIDEGATE_KEYS: store.keysFolder };
  expect(spawnSync(process.execPath, [main, 'init'], { env }).status).toBe(0);
  expect(spawnSync(process.execPath, [main, 'init'], { env }).status).toBe(1);
  expect(spawnSync(process.execPath, [main, 'nonsense'], { env }).status).toBe(2);
});
