/**
 * Every scenario in its short form, compiled and on real processes: it runs, every answer is right, the numbers hang together.
 * They are not asked to be fast, and a generator that was late on a busy machine is no fault of theirs.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScenarioResult, ScenarioRows } from '../../../bench/report/scenario-report.ts';
import { scenarios } from '../../../bench/scenarios/scenario-options.ts';

const script = fileURLToPath(new URL('../../../dist/bench/main.js', import.meta.url));
const bench = async (...args: readonly string[]): Promise<{ readonly stdout: string }> =>
  promisify(execFile)(process.execPath, [script, ...args], { env: { ...process.env, TMPDIR: folder } });

let folder: string;
let result: ScenarioResult;
let printed: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bench-scenarios-'));
  const out = join(folder, 'result');
  const named = ['all', ...scenarios.filter(({ isLong }) => isLong === true).map(({ name }) => name)].join();
  const short = ['--quick', '--seconds', '0.3', '--kills', '3', '--no-install'];
  const ran = await bench('--scenario', named, ...short, '--out', out).catch((error: unknown) => {
    // It ends with 1 when some request failed, too, and which scenario that was is what the tests say.
    if (!existsSync(`${out}.json`)) throw error;
    return error as { readonly stdout: string };
  });
  printed = ran.stdout;
  result = JSON.parse(readFileSync(`${out}.json`, 'utf8')) as ScenarioResult;
}, 600_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function rowsOf(name: string): ScenarioRows['rows'] {
  return result.scenarios.find((scenario) => scenario.name === name)?.rows ?? [];
}

const peersOf = (name: string): ReadonlySet<string> => new Set(rowsOf(name).map(({ peer }) => peer));

describe('the scenarios', () => {
  it.each(scenarios.map(({ name, headline }) => [name, headline] as const))(
    '%s answers rightly, and its numbers are numbers',
    (name, headline) => {
      const rows = rowsOf(name);
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) {
        const { numbers, problems } = row;
        for (const number of headline) expect(numbers[number]).toBeGreaterThanOrEqual(0);
        expect(numbers['failed'] ?? 0, JSON.stringify(row)).toBe(0);
        if ('p99_us' in numbers)
          expect(numbers['p99_us']).toBeGreaterThanOrEqual(numbers['p50_us'] ?? Infinity);
        // Not the rate: in the third of a second of this run a busy machine may answer nothing in time.
        if ('p50_us' in numbers) expect(numbers['p50_us']).toBeGreaterThan(0);
        expect(problems.filter((problem) => !problem.includes('load generator'))).toEqual([]);
      }
    },
  );

  it('measure the gateway and every peer that needs no installing', () => {
    const always = ['gateway', 'bare uWebSockets.js, fixed answer', 'Fastify + onnxruntime-web'];
    for (const peer of always) expect(peersOf('capacity')).toContain(peer);
    expect(peersOf('batching')).toEqual(new Set(['gateway, batching', 'gateway, no batching']));
    expect(peersOf('large')).toContain('onnxruntime-web in a loop');
    // The short form asks the peers for iris only.
    expect(new Set(rowsOf('capacity').map(({ load }) => load.split(',')[0]))).toEqual(new Set(['iris']));
    const [gateway] = rowsOf('capacity').filter(({ peer }) => peer === 'gateway');
    for (const { numbers } of rowsOf('capacity')) {
      const share = (gateway?.numbers['per_second'] ?? NaN) / (numbers['per_second'] ?? NaN);
      expect(numbers['gateway_ratio']).toBeCloseTo(share, 6);
    }
    expect(new Set(rowsOf('large').map(({ load }) => load))).toEqual(new Set(['mlp', 'mobilenet']));
  });

  it('name what was left out, with what to do about it', () => {
    const here = new Set(result.scenarios.flatMap(({ rows }) => rows.map(({ peer }) => peer)));
    const flask = result.missing['Flask + scikit-learn'];
    expect(here.has('Flask + scikit-learn')).toBe(flask === undefined);
    if (flask !== undefined) {
      expect(flask).toBe('apt install python3-flask python3-sklearn');
      expect(printed).toContain(
        'Left out: Flask + scikit-learn (apt install python3-flask python3-sklearn).',
      );
    }
    expect(here.has('onnxruntime-node in a loop')).toBe(result.missing['onnxruntime-node'] === undefined);
  });

  it('overload offers more than the capacity and settles every request', () => {
    const { capacity_per_second: capacity = 0, ...numbers } = rowsOf('overload')[0]?.numbers ?? {};
    const { offered = 0, accepted = 0, refused = 0 } = numbers;
    expect(capacity).toBeGreaterThan(0);
    // A Poisson process of 0.3 s; five standard deviations below the mean.
    const mean = 2 * capacity * 0.3;
    expect(offered).toBeGreaterThan(mean - 5 * Math.sqrt(mean));
    expect(accepted + refused).toBe(offered);
  });

  it('hot-cold asks for twice what the hot model can do, and what is too much is refused', () => {
    const rows = rowsOf('hot-cold');
    const loads = new Set(rows.map(({ load }) => load.split(',')[0]));
    expect(loads).toEqual(new Set(['iris', 'mlp beside another']));
    for (const { numbers } of rows) {
      expect(numbers).toMatchObject({ refused: 0, failed: 0 });
      expect(numbers['hot_capacity_per_second']).toBeGreaterThan(0);
      const { p99_ratio: ratio, calm_p99_us: calm = NaN, beside_p99_us: beside = NaN } = numbers;
      expect(ratio).toBeCloseTo(beside / calm, 6);
    }
  });

  it('batching compares the two of a load with each other', () => {
    for (const load of ['iris, 1 under way', 'mlp, 32 under way']) {
      const [on, off] = rowsOf('batching').filter((row) => row.load === load);
      expect(off?.numbers['p50_ratio']).toBe(1);
      const share = (on?.numbers['p50_us'] ?? NaN) / (off?.numbers['p50_us'] ?? NaN);
      expect(on?.numbers['p50_ratio']).toBeCloseTo(share, 6);
    }
  });

  it.skipIf(!existsSync('/proc/self/smaps'))('memory says what holds all of it', () => {
    const [start, loaded] = rowsOf('memory').map(({ numbers }) => numbers);
    for (const numbers of [start ?? {}, loaded ?? {}]) {
      const { resident_mib: resident } = numbers;
      const parts = Object.entries(numbers).filter(([name]) => !/^(resident|added)_/.test(name));
      const sum = parts.reduce((total, [, part]) => total + part, 0);
      expect(sum).toBeCloseTo(resident ?? NaN, 6);
      expect(resident).toBeGreaterThan(50);
    }
  });

  it('changed a model under load and lost nobody', () => {
    expect(rowsOf('reload')[0]?.numbers).toMatchObject({ changes: 2, failed: 0 });
  });

  it('leave a table, JSON, CSV and a page, and nothing else', () => {
    expect(readdirSync(folder).sort()).toEqual(['result.csv', 'result.html', 'result.json']);
    expect(result).toMatchObject({
      format: 1,
      rounds: 1,
      isQuick: true,
      environment: { node: process.version },
    });
    expect(printed).toContain('Its numbers mean nothing');
    const page = readFileSync(join(folder, 'result.html'), 'utf8');
    expect(page).toContain('<svg');
    expect(page).not.toMatch(/(src|href)=|NaN/);
  });
});

describe('the command line', () => {
  it.each([
    [['--scenario', 'nothing'], /There is no scenario nothing. There are: all, capacity/],
    [['--scenario', 'open', '--rates', '0'], /Give rates with commas/],
    [['--scenario', 'open', '--seconds', '0'], /Give seconds/],
    [['--scenario', 'capacity', '--models', 'rose'], /There is no model rose. There are: iris, digits/],
  ])('refuses %j', async (args, message) => {
    await expect(bench(...args)).rejects.toThrow(message);
  });
});
