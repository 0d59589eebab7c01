/**
 * What a shadow costs the callers it must not cost anything: the same load with a shadow of all requests, whose candidate
 * takes ten times as long as the live version, and without it, in turns. It prints the p99 with over the p99 without, and
 * what became of the copies.
 *
 * `node dist/bench/shadow-cost.js [rounds] [seconds]`; ratios are formed within a round, which begins with either.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployModel, initStore, publishModel, rollbackModel } from '../registry-store/main.ts';
import { tensor } from '../registry-store/onnx/tensor-value.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../registry-store/onnx/write-model.ts';
import { Children, nodeCommand } from './children.ts';
import { numberField } from './json-field.ts';
import type { BodyLoadJob, BodyLoadReport } from './load/body-load.ts';

const width = 128;
/** Products of a row with a matrix: the candidate does ten times as many. */
const stableSteps = 8;
const slower = 10;

const [rounds = 5, seconds = 5] = process.argv.slice(2, 4).map(Number);
const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'tidegate-shadow-'));
const publisher = {
  folder: join(folder, 'store'),
  keysFolders: [join(folder, 'keys')],
  actor: 'bench',
  model: 'work',
};
try {
  await measure();
} finally {
  await children.stopAll();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  await makeStore();
  const bodyFile = join(folder, 'row.json');
  const data = Array.from({ length: width }, (_, index) => index);
  const inputs = [{ name: 'x', shape: [1, width], datatype: 'FP32', data }];
  await writeFile(bodyFile, JSON.stringify({ inputs }));
  const script = new URL('./peers/tensor-gateway.js', import.meta.url);
  const gateway = children.start(nodeCommand('gateway', script, { args: [folder, '{}'] }));
  const port = numberField(JSON.parse(await gateway.firstLine()), 'port');
  const job = {
    port,
    path: '/v2/models/work/infer',
    headers: {},
    bodyFile,
    connections: 4,
    seconds,
    pauseMs: 2,
  };
  const ratios: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const p99 = new Map<boolean, number>();
    for (const isShadowed of round % 2 === 0 ? [true, false] : [false, true]) {
      await (isShadowed ? turnOn(port) : turnOff(port));
      const before = await copies(port);
      const report = await load(job);
      p99.set(isShadowed, report.p99Us);
      const now = await copies(port);
      const of = (name: keyof Copies): number => now[name] - before[name];
      console.log(
        `round ${round}: shadow ${isShadowed ? 'on ' : 'off'}: ${report.perSecond.toFixed(0)} requests/s, p50 ${Math.round(report.p50Us)} us, p99 ${Math.round(report.p99Us)} us, ${report.failures} failures; ${of('taken')} copies compared, ${of('dropped')} dropped`,
      );
    }
    const ratio = (p99.get(true) ?? Number.NaN) / (p99.get(false) ?? Number.NaN);
    ratios.push(ratio);
    console.log(`  p99 on / off ${ratio.toFixed(2)}`);
  }
  ratios.sort((left, right) => left - right);
  const [lowest, median, highest] = [0, Math.floor(ratios.length / 2), ratios.length - 1].map((index) =>
    (ratios[index] ?? Number.NaN).toFixed(2),
  );
  console.log(
    `p99 with a shadow over p99 without, median of ${rounds} rounds: ${median} (${lowest}-${highest})`,
  );
}

async function turnOn(port: number): Promise<void> {
  const about = { version: '2.0.0', strategy: 'shadow', trafficBps: 10_000 } as const;
  await deployModel({ ...publisher, ...about, nowMs: Date.now() });
  await until(() => isOn(port));
}

async function turnOff(port: number): Promise<void> {
  if (!(await isOn(port))) return;
  await rollbackModel({ ...publisher, nowMs: Date.now() });
  await until(async () => !(await isOn(port)));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(100);
}

interface Copies {
  readonly taken: number;
  readonly dropped: number;
}

async function copies(port: number): Promise<Copies> {
  return {
    taken: await total(port, 'tidegate_shadow_pairs_total'),
    dropped: await total(port, 'tidegate_shadow_dropped_total'),
  };
}

/** The page has lines of a shadow only while there is one. */
async function isOn(port: number): Promise<boolean> {
  return (await linesOf(port, 'tidegate_shadow_sent_total')).length > 0;
}

async function total(port: number, name: string): Promise<number> {
  const lines = await linesOf(port, name);
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function linesOf(port: number, name: string): Promise<readonly string[]> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return page.split('\n').filter((line) => line.startsWith(`${name}{`));
}

async function load(job: BodyLoadJob): Promise<BodyLoadReport> {
  const script = new URL('./load/body-load.js', import.meta.url);
  const child = children.start(nodeCommand('load', script, { args: [JSON.stringify(job)] }));
  return JSON.parse(await child.firstLine()) as BodyLoadReport;
}

async function makeStore(): Promise<void> {
  await initStore({ ...publisher, nowMs: Date.now() });
  for (const [version, steps] of [
    ['1.0.0', stableSteps],
    ['2.0.0', stableSteps * slower],
  ] as const) {
    const about = { version, framework: 'onnx', author: 'bench', artifact: products(steps) };
    await publishModel({ ...publisher, ...about, nowMs: Date.now() });
  }
  await deployModel({ ...publisher, version: '1.0.0', nowMs: Date.now() });
}

function products(steps: number): Uint8Array {
  const graph = new GraphBuilder('products');
  const eye = Array.from({ length: width * width }, (_, at) => (at % (width + 1) === 0 ? 1 : 0));
  const matrix = graph.constant('eye', tensor('FP32', [width, width], eye));
  let value = graph.input('x', tensorType('FP32', ['batch', width]));
  for (let step = 0; step < steps; step += 1) value = graph.node('MatMul', [value, matrix]);
  graph.node('Identity', [value], { outputs: ['y'] });
  graph.output('y', tensorType('FP32', ['batch', width]));
  return writeOnnxModel(graph);
}
