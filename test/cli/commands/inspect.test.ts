/** `tidegate inspect` as a person and as a script use it: what it says, how it ends, and that it stops at Ctrl-C. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { sha256Of } from '../../../registry-store/trust/artifact-digest.ts';
import { echoModel, slowModel, unloadableModel } from '../../e2e/odd-models.ts';
import { modelFile, run } from '../command-line.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function golden(name: string): string {
  return fileURLToPath(new URL(`../../registry-store/onnx/golden/${name}.onnx`, import.meta.url));
}

async function saved(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

function pipe(): string {
  const path = join(folder, 'pipe');
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
  return path;
}

async function json(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { out, err } = await run(['inspect', ...args, '--json']);
  expect(err).toBe('');
  return JSON.parse(out) as Record<string, unknown>;
}

describe('a model that can be served ends with 0', () => {
  test('and is described for a person', async () => {
    const { code, out, err } = await run(['inspect', modelFile('1.0.0')]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^iris-1\.0\.0\.onnx can be served\n {2}file +643 B\n {2}sha256 +[0-9a-f]{64}\n/);
    expect(out).toContain('features FP32 [batch, 4]');
    expect(out).toContain('ai.onnx: 1 ArgMax, 1 Div, 1 Gemm, 1 Softmax, 1 Sub');
    expect(out).toContain('rows of different requests share a run');
    expect(out).toMatch(/a run takes .* for 1 row, .* for 8 rows, .* for 64 rows\n/);
    expect(out).toMatch(/\nNext: tidegate publish <model> \S+ --version <version>\n$/);
  });

  test('and for a script', async () => {
    const bytes = await readFile(modelFile('1.0.0'));
    expect(await json(modelFile('1.0.0'))).toMatchObject({
      servable: true,
      problems: [],
      size_bytes: 643,
      sha256: sha256Of(bytes),
      opsets: { 'ai.onnx': 17 },
      inputs: [{ name: 'features', type: 'FP32', shape: ['batch', 4] }],
      parameter_count: 23,
      signature: { batching: 'rows' },
      batch_obstacle: null,
      runtime: { loads: true, batching: 'rows', note: null, costs: [{ rows: 1 }, { rows: 8 }, { rows: 64 }] },
    });
  });

  test('with why requests do not share runs', async () => {
    expect((await run(['inspect', golden('nested')])).out).toContain(
      'none, every request runs alone: The input "flag" is a scalar',
    );
  });

  test('without a runtime when there is to be none', async () => {
    expect(await json(modelFile('1.0.0'), '--no-run')).toMatchObject({ servable: true, runtime: null });
    expect((await run(['inspect', modelFile('1.0.0'), '--no-run'])).out).toMatch(/runtime +not asked/);
  });
});

describe('a model that cannot be served ends with 1', () => {
  test('and the words of the runtime', async () => {
    const file = await saved('unloadable.onnx', unloadableModel());
    const { code, out, err } = await run(['inspect', file]);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(/^unloadable\.onnx cannot be served\n/);
    expect(out).toMatch(
      /\nWhat is wrong:\n {2}UNSUPPORTED_OPERATOR\n {4}The runtime has no operator NoSuchOp/,
    );
    expect(out).not.toContain('Next:');
    expect(await json(file)).toMatchObject({
      servable: false,
      problems: [{ code: 'UNSUPPORTED_OPERATOR' }],
      runtime: { loads: false, code: 'UNSUPPORTED_OPERATOR' },
    });
    expect((await run(['inspect', file, '--no-run'])).code).toBe(0);
  });

  test('and the sizes, without trying it, when no request can be as large as its inputs', async () => {
    const file = await saved('giant.onnx', echoModel([{ datatype: 'FP32', shape: [1, 2e8] }]));
    const { code, out } = await run(['inspect', file]);
    expect(code).toBe(1);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'take 800000000 bytes, and those of one request may take 67108864',
    );
    expect(await json(file)).toMatchObject({ problems: [{ code: 'INPUT_TOO_LARGE' }], runtime: null });
  });

  test('and how to turn ZipMap off', async () => {
    const { code, out } = await run(['inspect', golden('zipmap')]);
    expect(code).toBe(1);
    expect(out).toContain('probabilities sequence(map(INT64, FP32))');
    expect(out.replace(/\s+/g, ' ')).toContain("options={id(model): {'zipmap': False}}");
  });

  test.each([
    { what: 'is no model', path: () => saved('junk.onnx', Buffer.from('junk')), code: 'MODEL_REFUSED' },
    { what: 'is a pipe that nobody writes to', path: () => Promise.resolve(pipe()), code: 'FILE_UNREADABLE' },
    { what: 'is a device without an end', path: () => Promise.resolve('/dev/zero'), code: 'FILE_UNREADABLE' },
    { what: 'is not there', path: () => Promise.resolve('/nowhere.onnx'), code: 'FILE_UNREADABLE' },
    { what: 'is a folder', path: () => Promise.resolve(folder), code: 'FILE_UNREADABLE' },
  ])('with an error alone when the file $what', async ({ path, code }) => {
    const ran = await run(['inspect', await path(), '--json']);
    expect({ code: ran.code, out: ran.out }).toEqual({ code: 1, out: '' });
    expect(JSON.parse(ran.err)).toMatchObject({ code });
  });

  test('before a byte of a file is read that is too large', async () => {
    const file = await saved('large.onnx', new Uint8Array(0));
    // A hole: it takes no space on the disk.
    await truncate(file, 2 ** 30 + 1);
    const { code, err } = await run(['inspect', file]);
    expect(code).toBe(1);
    expect(err).toMatch(/TOO_LARGE: \S+large\.onnx has 1\.0 GiB; the limit is 1\.0 GiB/);
  });
});

describe('tensors in other files', () => {
  async function statusOf(prepare: (place: string) => Promise<unknown>): Promise<unknown> {
    const place = await mkdtemp(join(folder, 'external-'));
    const file = join(place, 'model.onnx');
    await writeFile(file, await readFile(golden('external-data')));
    await prepare(place);
    const report = await json(file);
    const [found] = report['external_data'] as readonly { readonly status: unknown }[];
    expect(report).toMatchObject(
      found?.status === 'present'
        ? { servable: true, problems: [], runtime: { loads: true } }
        : { servable: false, problems: [{ code: 'EXTERNAL_DATA' }], runtime: null },
    );
    return found?.status;
  }

  test('are told from those that are missing, short or outside of the folder', async () => {
    const weights = (place: string): string => join(place, 'weights.bin');
    expect(await statusOf(() => Promise.resolve())).toBe('missing');
    expect(await statusOf((place) => writeFile(weights(place), new Uint8Array(16)))).toBe('present');
    expect(await statusOf((place) => writeFile(weights(place), new Uint8Array(15)))).toBe('short');
    expect(await statusOf((place) => mkdir(weights(place)))).toBe('missing');
    expect(await statusOf((place) => symlink('/etc/hostname', weights(place)))).toBe('outside');
  });
});

/** Whether the process has a handler for SIGHUP, as the system sees it. */
async function catchesHangup(pid: number | undefined): Promise<boolean> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const [, caught = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}

describe('the compiled command', () => {
  const main = fileURLToPath(new URL('../../../dist/bin/tidegate.js', import.meta.url));

  test('ends by itself', () => {
    const { status, stderr } = spawnSync(process.execPath, [main, 'inspect', modelFile('1.0.0')], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test.runIf(process.platform === 'linux')('stops at Ctrl-C with 130 while the model runs', async () => {
    const file = await saved('slow.onnx', slowModel(20_000, 512));
    const child = spawn(process.execPath, [main, 'inspect', file]);
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    const ended = new Promise((resolve) => child.once('close', resolve));
    // Nobody else in the process listens for SIGHUP; from then on it reads or runs, and the model would go on for minutes.
    await vi.waitFor(async () => {
      expect(await catchesHangup(child.pid)).toBe(true);
    }, 20_000);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect({ out, err }).toEqual({ out: '', err: 'error: Interrupted; nothing was changed.\n' });
  });
});
