/**
 * Large tensors: what the binary form saves, and what large JSON bodies cost everybody else. It prints
 * - requests/s for one image-sized tensor and an identity model, binary over JSON;
 * - the p99 of small requests while JSON bodies of a megabyte arrive on other connections, over its calm value.
 *
 * `node dist/bench/tensor-bodies.js [rounds] [seconds] [limits as JSON]`; numbers are formed within a round.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deployModel, initStore, publishModel } from '../registry-store/main.ts';
import { GraphBuilder, tensorType, writeOnnxModel } from '../registry-store/onnx/write-model.ts';
import { Children, nodeCommand } from './children.ts';
import { numberField } from './json-field.ts';
import type { BodyLoadJob, BodyLoadReport } from './load/body-load.ts';
import { projectRoot } from './project-root.ts';

const imageElements = 3 * 224 * 224;
/** So many floats are a megabyte of JSON, as programs print them. */
const megabyteElements = 100_000;

const [rounds = 3, seconds = 5] = process.argv.slice(2, 4).map(Number);
const limits = process.argv[4] ?? '{}';
const children = new Children();
const folder = mkdtempSync(join(tmpdir(), 'tidegate-tensors-'));
try {
  await measure();
} finally {
  await children.stopAll();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  await makeStore();
  await makeBodies();
  const script = new URL('./peers/tensor-gateway.js', import.meta.url);
  const gateway = children.start(nodeCommand('gateway', script, { args: [folder, limits] }));
  const port = numberField(JSON.parse(await gateway.firstLine()), 'port');
  const image = { port, path: '/v2/models/image/infer', connections: 2, seconds, pauseMs: 0 };
  const small = { port, path: '/v2/models/iris/infer', connections: 4, seconds, pauseMs: 2 };
  const large = { ...image, connections: 1, seconds: seconds + 1 };
  for (let round = 1; round <= rounds; round++) {
    const json = await load({ ...image, headers: {}, bodyFile: file('image.json') });
    const binary = await load({ ...image, headers: binaryHeaders(), bodyFile: file('image.bin') });
    say(round, 'image, JSON', json);
    say(round, 'image, binary', binary);
    console.log(`  binary / JSON ${(binary.perSecond / json.perSecond).toFixed(1)}`);
    const calm = await load({ ...small, headers: {}, bodyFile: file('iris.json') });
    say(round, 'small, calm', calm);
    for (const [name, path] of [
      ['sum', '/v2/models/sum/infer'],
      ['echo', '/v2/models/echo/infer'],
    ] as const) {
      const beside = load({ ...large, path, headers: {}, bodyFile: file('megabyte.json') });
      const disturbed = await load({ ...small, headers: {}, bodyFile: file('iris.json') });
      say(round, `1 MB of JSON to ${name}`, await beside);
      say(round, 'small beside it', disturbed);
      console.log(`  p99 beside / calm ${(disturbed.p99Us / calm.p99Us).toFixed(2)}`);
    }
  }
}

function say(round: number, what: string, report: BodyLoadReport): void {
  const { perSecond, p50Us, p99Us, failures } = report;
  const latency = `p50 ${Math.round(p50Us)} us, p99 ${Math.round(p99Us)} us`;
  console.log(
    `round ${round}: ${what}: ${perSecond.toFixed(1)} requests/s, ${latency}, ${failures} failures`,
  );
}

async function load(job: BodyLoadJob): Promise<BodyLoadReport> {
  const script = new URL('./load/body-load.js', import.meta.url);
  const child = children.start(nodeCommand('load', script, { args: [JSON.stringify(job)] }));
  return JSON.parse(await child.firstLine()) as BodyLoadReport;
}

function file(name: string): string {
  return join(folder, name);
}

async function makeStore(): Promise<void> {
  const publisher = { folder: file('store'), keysFolders: [file('keys')], nowMs: Date.now(), actor: 'bench' };
  await initStore(publisher);
  const iris = await readFile(join(fileURLToPath(projectRoot), 'deploy/demo/models/iris-1.0.0.onnx'));
  const models: readonly (readonly [string, Uint8Array])[] = [
    ['iris', new Uint8Array(iris)],
    ['image', model(imageElements, 'Identity')],
    ['echo', model(megabyteElements, 'Identity')],
    ['sum', model(megabyteElements, 'ReduceMax')],
  ];
  for (const [name, artifact] of models) {
    const about = { model: name, version: '1.0.0', framework: 'onnx', author: 'bench' };
    await publishModel({ ...publisher, ...about, artifact });
    await deployModel({ ...publisher, model: name, version: '1.0.0' });
  }
}

function model(elements: number, operator: 'Identity' | 'ReduceMax'): Uint8Array {
  const graph = new GraphBuilder(operator);
  const x = graph.input('x', tensorType('FP32', ['batch', elements]));
  const isReduced = operator === 'ReduceMax';
  graph.node(operator, [x], {
    outputs: ['y'],
    ...(isReduced ? { attributes: { axes: { ints: [1] }, keepdims: { int: 1 } } } : {}),
  });
  graph.output('y', tensorType('FP32', ['batch', isReduced ? 1 : elements]));
  return writeOnnxModel(graph);
}

async function makeBodies(): Promise<void> {
  const image = values(imageElements);
  const head = { name: 'x', shape: [1, imageElements], datatype: 'FP32' };
  await writeFile(file('image.json'), JSON.stringify({ inputs: [{ ...head, data: [...image] }] }));
  const text = binaryText();
  await writeFile(file('image.bin'), Buffer.concat([Buffer.from(text), Buffer.from(image.buffer)]));
  const megabyte = { name: 'x', shape: [1, megabyteElements], datatype: 'FP32' };
  const data = Array.from(values(megabyteElements), (value) => Number(value.toPrecision(7)));
  await writeFile(file('megabyte.json'), JSON.stringify({ inputs: [{ ...megabyte, data }] }));
  const iris = { name: 'features', shape: [1, 4], datatype: 'FP32', data: [5.1, 3.5, 1.4, 0.2] };
  await writeFile(file('iris.json'), JSON.stringify({ inputs: [iris] }));
}

/** As good clients do, filled up so that the tensor is aligned. */
function binaryText(): string {
  const parameters = { binary_data_size: imageElements * 4 };
  const inputs = [{ name: 'x', shape: [1, imageElements], datatype: 'FP32', parameters }];
  const text = JSON.stringify({ inputs, parameters: { binary_data_output: true } });
  return text.padEnd(Math.ceil(text.length / 8) * 8);
}

function binaryHeaders(): Readonly<Record<string, string>> {
  return { 'inference-header-content-length': String(binaryText().length) };
}

/** The same every time, with as many digits as a float has. */
function values(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, index) => Math.fround(Math.sin(index) * 2));
}
