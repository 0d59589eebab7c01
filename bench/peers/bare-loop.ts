/**
 * A child of the suite: onnxruntime and nothing else. A loop of `session.run`, tensor creation included, for
 * several batch sizes; prints the times as one line of JSON.
 * `node dist/bench/peers/bare-loop.js <model.onnx> <job as JSON>`
 */
import type { InferenceSession } from 'onnxruntime-web';
import { LatencyHistogram } from '../../cli/bench/load/latency-histogram.ts';
import { field, listField, numberField, textField } from '../json-field.ts';
import type { LoopReport } from './loop-report.ts';
import { jsonElements, loadOrt, openSession } from './ort-session.ts';

const [modelFile = '', job = 'null'] = process.argv.slice(2);
const parsed: unknown = JSON.parse(job);
const input = textField(parsed, 'input');
const row = listField(parsed, 'values').map(Number);
const rowShape = listField(parsed, 'rowShape').map(Number);
const rowElements = rowShape.reduce((product, size) => product * size, 1);
/** Undefined for models whose answer nobody knows. */
const label = field(parsed, 'label');
const backend = textField(parsed, 'backend');
/** For each batch size. */
const seconds = numberField(parsed, 'seconds');
const intraOpThreads = Number(field(parsed, 'intraOpThreads') ?? 1);
const ort = await loadOrt(backend, intraOpThreads);
const session = await openSession(ort, backend, { modelFile, intraOpThreads });

const reports: LoopReport[] = [];
for (const value of listField(parsed, 'batches')) reports.push(await measure(Number(value)));
console.log(JSON.stringify(reports));

async function measure(rows: number): Promise<LoopReport> {
  const data = Float32Array.from({ length: rows * rowElements }, (_, index) => row[index % row.length] ?? 0);
  const run = (): Promise<InferenceSession.OnnxValueMapType> =>
    session.run({ [input]: new ort.Tensor('float32', data, [rows, ...rowShape]) });

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

function requireLabels(results: InferenceSession.OnnxValueMapType): void {
  if (label === undefined) {
    const isWrong = session.outputNames.some((name) => {
      const tensor = results[name];
      return tensor === undefined || !jsonElements(tensor).every(Number.isFinite);
    });
    if (isWrong) throw new Error('The model gave something that is no number.');
    return;
  }
  const tensor = results['label'];
  if (tensor === undefined || jsonElements(tensor).some((found) => found !== label)) {
    throw new Error('The model gave a wrong label.');
  }
}
