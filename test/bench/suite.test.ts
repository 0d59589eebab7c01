/**
 * The bench as a whole, compiled and on real processes: it runs to its end, every answer is right, and it leaves
 * nothing behind. It says nothing about speed: the machine that runs the tests is busy.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { field, listField, numberField, textField } from '../../bench/json-field.ts';

const script = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));

/** Everything the bench makes lies in here, since it is its folder for temporary files. */
let folder: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Bench {
  readonly process: ChildProcess;
  /** Resolves with the exit code, null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

function start(...args: readonly string[]): Bench {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const ended = once(child, 'close').then(() => child.exitCode);
  return { process: child, ended, stdout: () => text.stdout, stderr: () => text.stderr };
}

/** Waits until the three peers are up and load is on them, and answers with all of its children. */
async function underLoad(bench: Bench): Promise<readonly number[]> {
  const isOver = bench.ended.then(() => true);
  for (;;) {
    const children = childrenOf(bench.process.pid ?? 0);
    if (children.length > 3) return children;
    if (await Promise.race([isOver, sleep(50, false)])) throw new Error(`it ended early: ${bench.stderr()}`);
  }
}

function childrenOf(parent: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.filter(([, of]) => of === parent).map(([pid]) => pid ?? 0);
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('the command line', () => {
  it('explains itself', async () => {
    const bench = start('--help');
    expect(await bench.ended).toBe(0);
    for (const option of ['--quick', '--rounds', '--seconds', '--only', '--json']) {
      expect(bench.stdout()).toContain(option);
    }
  });

  it.each([
    [['--rounds', '0'], 'whole number'],
    [['--only', 'nothing-like-this'], 'No series has nothing-like-this in its name'],
    [['--fast'], 'unknown option'],
  ])('refuses %j before anything is started', async (args, message) => {
    const bench = start(...args);
    expect(await bench.ended).toBe(1);
    expect(bench.stderr()).toContain(message);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a run', () => {
  it('measures every peer with right answers only, reports, and leaves nothing behind', async () => {
    const file = join(folder, 'result.json');
    // Every generator and every peer; the series of one request at a time is the same with less load.
    const bench = start('--quick', '--only', '256,stream,loop', '--json', file);
    expect(await bench.ended, bench.stderr()).toBe(0);

    const result: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const measurements = listField(result, 'measurements');
    const peers = new Set(measurements.map((one) => textField(one, 'peer')));
    expect(peers).toEqual(new Set(['gateway', 'bare-uws', 'fastify-ort']));
    for (const one of measurements) {
      const report = field(one, 'report');
      expect(one).toMatchObject({ round: 0, report: { failures: 0 } });
      for (const name of ['answers', 'seconds', 'p50Us'])
        expect(numberField(report, name)).toBeGreaterThan(0);
      expect(numberField(report, 'p99Us')).toBeGreaterThanOrEqual(numberField(report, 'p50Us'));
    }
    expect(listField(result, 'loops')).toHaveLength(1);
    expect(listField(result, 'targets')).toHaveLength(3);
    expect(field(result, 'environment')).toMatchObject({ node: process.version });
    expect(bench.stdout()).toMatch(/^Targets$/m);
    expect(readdirSync(folder)).toEqual(['result.json']);
  }, 180_000);

  it('stops its children and cleans up when it is interrupted', async () => {
    const bench = start('--quick', '--only', 'autocannon', '--rounds', '50');
    const children = await underLoad(bench);
    expect(children.length).toBeGreaterThan(3);
    bench.process.kill('SIGINT');
    expect(await bench.ended).toBe(130);
    expect(children.filter(alive)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  }, 120_000);

  it('leaves no process behind even when it is killed', async () => {
    const bench = start('--quick', '--only', 'autocannon', '--rounds', '50');
    const children = await underLoad(bench);
    bench.process.kill('SIGKILL');
    await bench.ended;
    await vi.waitFor(
      () => {
        expect(children.filter(alive)).toEqual([]);
      },
      { timeout: 60_000 },
    );
  }, 120_000);
});
