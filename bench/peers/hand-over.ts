/**
 * A child of the decisions: the worker module of the gateway on one Piscina thread, and nothing else. One run after the
 * other is handed over and awaited, with one row each; prints how many there were a second and what one took as JSON.
 * `node dist/bench/peers/hand-over.js <model.onnx> <job as JSON>`, the job being `{atomics, seconds}`.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { Piscina } from 'piscina';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { describeOnnxModel } from '../../registry-store/onnx/describe-model.ts';
import { wasmChoice } from '../../runtime/protocol/engine-choice.ts';
import type { RunTask, WorkerReply, WorkerStart, WorkerTask } from '../../runtime/protocol/worker-task.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { numberField, textField } from '../json-field.ts';

const [modelFile = '', job = 'null'] = process.argv.slice(2);
const parsed: unknown = JSON.parse(job);
const seconds = numberField(parsed, 'seconds');

const file = readFileSync(modelFile);
const described = describeOnnxModel(file);
if (!described.ok) throw new Error(described.message);
const { signature } = described.value;
const model = new Uint8Array(file);

const resultBytes = 64 * 1024;
const arena = new SharedArrayBuffer(1024 * 1024);
const workerData: WorkerStart = { arena, engine: wasmChoice };
const pool = new Piscina<WorkerTask, WorkerReply>({
  filename: new URL('../../runtime/worker/main.js', import.meta.url).href,
  minThreads: 1,
  maxThreads: 1,
  workerData,
  atomics: atomicsOf(textField(parsed, 'atomics')),
  recordTiming: false,
  workerHistogram: false,
});
await ask({ kind: 'load', session: 1, model, signature, warmRows: [] });
const inputs = signature.inputs.map(({ shape }) => {
  const row = shape.map((size) => (size < 0 ? 1 : size));
  return { shape: row, pieces: [{ byteOffset: resultBytes, elements: elementCount(row) }] };
});
const run: RunTask = { kind: 'run', session: 1, inputs, outputs: undefined, resultOffset: 0, resultBytes };
await repeat(seconds / 4, new LatencyHistogram());
const latency = new LatencyHistogram();
const measured = await repeat(seconds, latency);
const { p50Us, p99Us } = latency.summary();
console.log(JSON.stringify({ runsPerSecond: latency.count / measured, p50Us, p99Us }));
await pool.destroy();

async function repeat(atLeastSeconds: number, into: LatencyHistogram): Promise<number> {
  const startMs = performance.now();
  let nowMs = startMs;
  while (nowMs - startMs < atLeastSeconds * 1000) {
    await ask(run);
    const endMs = performance.now();
    into.record((endMs - nowMs) * 1000);
    nowMs = endMs;
  }
  return (nowMs - startMs) / 1000;
}

async function ask(task: WorkerTask): Promise<void> {
  const reply = await pool.run(task);
  if (reply.kind === 'failed') throw new Error(`${reply.code}: ${reply.detail}`);
}

function atomicsOf(text: string): 'disabled' | 'sync' | 'async' {
  if (text === 'disabled' || text === 'sync' || text === 'async') return text;
  throw new TypeError(`Piscina has no atomics mode ${text}.`);
}
