/**
 * A child of the suite: onnxruntime-web and nothing else. A loop of `session.run`, tensor creation included, for
 * several batch sizes; prints the times as one line of JSON.
 * `node dist/bench/peers/bare-loop.js <model.onnx> <job as JSON>`
 */
import * as ort from 'onnxruntime-web';
import { listField, numberField, textField } from '../json-field.ts';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { jsonElements, openSession } from './iris-session.ts';
import type { LoopReport } from './loop-report.ts';

const [modelFile = '', job = 'null'] = process.argv.slice(2);
const parsed: unknown = JSON.parse(job);
const input = textField(parsed, 'input');
const row = listField(parsed, 'values').map(Number);
const label = numberField(parsed, 'label');
/** For each batch size. */
const seconds = numberField(parsed, 'seconds');
const session = await openSession(modelFile);

const reports: LoopReport[] = [];
for (const value of listField(parsed, 'batches')) reports.push(await measure(Number(value)));
console.log(JSON.stringify(reports));

async function measure(rows: number): Promise<LoopReport> {
  const data = Float32Array.from({ length: rows * row.length }, (_, index) => row[index % row.length] ?? 0);
  const run = (): Promise<ort.InferenceSession.OnnxValueMapType> =>
    session.run({ [input]: new ort.Tensor('float32', data, [rows, row.length]) });

  requireLabels(await run());
  await repeat(run, { seconds: seconds / 4, latency: new LatencyHistogram() });
  const latency = new LatencyHistogram();
  const measured = await repeat(run, { seconds, latency });
  const { p50Us, p99Us } = latency.summary();
  return { rows, runsPerSecond: latency.count / measured, p50Us, p99Us };
}

/** Runs one after the other until the time is over; returns the seconds it took. */
async function repeat(
  run: () => Promise<unknown>,
  { seconds, latency }: { readonly seconds: number; readonly latency: LatencyHistogram },
): Promise<number> {
  const startMs = performance.now();
  let nowMs = startMs;
  while (nowMs - startMs < seconds * 1000) {
    await run();
    const endMs = performance.now();
    latency.record((endMs - nowMs) * 1000);
    nowMs = endMs;
  }
  return (nowMs - startMs) / 1000;
}

function requireLabels(results: ort.InferenceSession.OnnxValueMapType): void {
  const tensor = results['label'];
  if (tensor === undefined || jsonElements(tensor).some((found) => found !== label)) {
    throw new Error('The model gave a wrong label.');
  }
}
