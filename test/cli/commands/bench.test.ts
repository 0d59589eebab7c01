/**
 * `tidegate bench` against a real gateway, all protocols and both loops, short: that it runs, that its numbers hang together,
 * and that it says what is wrong. Nothing here is about speed: the machine that runs the tests is busy.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDevGateway, type DevGateway } from '../bench/dev-gateway.ts';
import { run } from '../command-line.ts';

let gateway: DevGateway;
beforeAll(async () => {
  gateway = await startDevGateway();
}, 120_000);
afterAll(() => gateway.stop());

const short = ['--duration', '300ms', '--warmup', '100ms'];

interface Point {
  readonly good: number;
  readonly offered: number;
  readonly failed: number;
  readonly problems: readonly string[];
  readonly [name: string]: unknown;
}
interface Report {
  readonly points: readonly Point[];
  readonly limit: unknown;
  readonly [name: string]: unknown;
}

async function bench(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly report: Report }> {
  const { code, out, err } = await run([
    'bench',
    gateway.url,
    '--model',
    'iris',
    ...short,
    '--format',
    'json',
    ...args,
  ]);
  if (out === '') throw new Error(err);
  return { code, report: JSON.parse(out) as Report };
}

/** A busy machine makes a generator late, which is said and is no fault of the program. */
function realProblems({ problems }: Point): readonly string[] {
  return problems.filter((problem) => !problem.includes('load generator'));
}

describe('a run', () => {
  it.each(['http-json', 'http-binary', 'http-msgpack', 'stream'])(
    'over %s is answered and split by the server',
    async (protocol) => {
      const { report } = await bench('--protocol', protocol, '--concurrency', '1,4', '--rows', '3');
      expect(report).toMatchObject({ protocol, model: 'iris', rows: 3, interrupted: false });
      expect(report.points.map(({ load }) => load)).toEqual([1, 4]);
      for (const point of report.points) {
        expect(realProblems(point)).toEqual([]);
        expect(point.good).toBeGreaterThan(0);
        expect(point).toMatchObject({ mode: 'closed', good: point.offered, failed: 0, refused: 0 });
        expect(point['server_compute_us']).toBeGreaterThan(0);
        expect(point['rows_per_run']).toBeGreaterThanOrEqual(3);
        expect(point['latency_p99_us']).toBeGreaterThanOrEqual(Number(point['latency_p50_us']));
      }
    },
  );

  it.each(['http-json', 'stream'])('at a rate over %s sends what it was told to', async (protocol) => {
    const { report } = await bench('--protocol', protocol, '--rate', '50,100', '--arrivals', 'constant');
    expect(report.points.map(({ offered }) => offered)).toEqual([15, 30]);
    for (const point of report.points) expect(realProblems(point)).toEqual([]);
  });

  it('sends the requests of a file, to the version that is asked for, and draws', async () => {
    const file = join(gateway.folder, 'requests.json');
    const drawn = join(gateway.folder, 'report.html');
    const input = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] };
    await writeFile(file, JSON.stringify([{ inputs: [input] }]));
    const { code, report } = await bench(
      '--input',
      file,
      '--version',
      '1.0.0',
      '--report',
      drawn,
      '--concurrency',
      '2',
    );
    expect(report).toMatchObject({ version: '1.0.0', input: file, rows: null });
    expect(report.points.every((point) => realProblems(point).length === 0)).toBe(true);
    expect(code).toBe(report.points.every(({ problems }) => problems.length === 0) ? 0 : 1);
    const page = await readFile(drawn, 'utf8');
    expect(page).toContain('<svg');
    expect(page).toContain('1.0.0');
  });

  it('repeats windows until they agree, ten at most, and prints a table', async () => {
    const { out } = await run(['bench', gateway.url, '--model', 'iris', ...short, '--stability', '100']);
    expect(out).toMatch(/^under way +good\/s +p50 ms/);
    const { report } = await bench('--stability', '0.001');
    expect(report.points[0]).toMatchObject({ windows: 10, stable: false });
    expect(report.points[0]?.problems.join()).toContain('did not settle');
  }, 60_000);
});

describe('a latency limit', () => {
  it('that holds nowhere ends with 1 and says so', async () => {
    const { code, report } = await bench('--latency-limit', '0.001ms', '--rate', '20:40');
    expect(code).toBe(1);
    expect(report.limit).toMatchObject({ held: false, rate_per_second: null, percentile: 99 });
  }, 60_000);

  it('is searched in the range, up to its end where nothing breaks it', async () => {
    // Few requests in a window: where the generator is late again and again, it is searched in sixty of them.
    const brief = ['--duration', '100ms', '--warmup', '0s'];
    const { code, report } = await bench('--latency-limit', '60s', '--rate', '20:40', ...brief);
    const generatorWasLate = report.points.some(({ problems }) => problems.length > 0);
    expect(report.points.every((point) => realProblems(point).length === 0)).toBe(true);
    if (!generatorWasLate) {
      expect(code).toBe(0);
      expect(report.limit).toMatchObject({ held: true, rate_per_second: 40 });
      expect(report.points.map(({ load }) => load)).toEqual([20, 40, 40, 40]);
    }
  }, 60_000);

  it('must hold at every rate that is named', async () => {
    const { code, report } = await bench('--latency-limit', '0.001ms', '--rate', '20,30');
    expect(code).toBe(1);
    expect(report.points).toHaveLength(2);
  });
});

describe('what cannot be done', () => {
  it.each([
    [['--model', 'nothing'], 1, /BENCH_REFUSED|UNKNOWN_MODEL/],
    [['--model', 'iris', '--version', '9.9.9'], 1, /UNKNOWN_VERSION/],
    [['--model', 'iris', '--input', '/nowhere.json'], 1, /cannot be read as JSON/],
    [['--model', 'iris', '--rate', '5', '--mode', 'closed'], 2, /--rate is for --mode open/],
    [['--model', 'iris', '--concurrency', 'many'], 2, /Write 8, a list/],
    [['--model', 'iris', '--protocol', 'grpc'], 2, /Allowed choices are http-json/],
    [[], 2, /required option '--model/],
  ])('%j ends with %i', async (args, exit, message) => {
    const { code, out, err } = await run(['bench', gateway.url, ...short, ...args]);
    expect([code, out]).toEqual([exit, '']);
    expect(err).toMatch(message);
  });

  it('is told with a stable code where a script asks for it', async () => {
    const place = ['bench', gateway.url, '--model'];
    const refused = await run([...place, 'nothing', '--json']);
    expect(refused.code).toBe(2);
    const silent = await run(['bench', 'http://127.0.0.1:9', '--model', 'iris']);
    expect(silent.code).toBe(1);
    expect(silent.err).toMatch(/Nothing answers at http:\/\/127\.0\.0\.1:9\. Is the gateway running/);
  });

  it('explains itself within 120 columns, with examples', async () => {
    const { code, out } = await run(['bench', '--help']);
    expect(code).toBe(0);
    expect(out).toContain('$ tidegate bench http://127.0.0.1:8080 --model iris');
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(120);
  });
});

it('Ctrl-C prints what was measured so far and ends with 130', async () => {
  const command = fileURLToPath(new URL('../../../dist/bin/tidegate.js', import.meta.url));
  const args = [
    'bench',
    gateway.url,
    '--model',
    'iris',
    '--concurrency',
    '1,2',
    '--duration',
    '60s',
    '--warmup',
    '0s',
  ];
  const child = spawn(process.execPath, [command, ...args, '--format', 'json']);
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  const exited = once(child, 'exit');
  // Far more than the one request that is tried before: the window has begun.
  await gateway.sees(100);
  child.kill('SIGINT');
  expect((await exited)[0]).toBe(130);
  const report = JSON.parse(out) as Report;
  expect(report).toMatchObject({ interrupted: true });
  expect(report.points).toHaveLength(1);
  expect(report.points[0]?.good).toBeGreaterThan(0);
}, 60_000);
