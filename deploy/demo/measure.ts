/**
 * Runs a demo model's file and says how good it is. The numbers come from the very file that is shipped, on rows that
 * training has not seen, in the runtime that will serve it.
 */
import * as ort from 'onnxruntime-web';
import type { LabelledRows } from './data/labelled-rows.ts';

ort.env.wasm.numThreads = 1;

export interface Predictions {
  readonly labels: readonly number[];
  /** [rows, classes] row-major. */
  readonly probabilities: Float32Array;
}

export interface Metrics {
  /** Share of rows whose class is right, to four decimals. */
  readonly accuracy: number;
  /** Mean negative logarithm of the probability of the right class, in nats, to four decimals. */
  readonly log_loss: number;
  readonly held_out_rows: number;
}

export async function runModel(
  model: Uint8Array,
  rowShape: readonly number[],
  rows: LabelledRows,
): Promise<Predictions> {
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  try {
    const [inputName = ''] = session.inputNames;
    const input = new ort.Tensor('float32', rows.values, [rows.labels.length, ...rowShape]);
    const { label, probabilities } = await session.run({ [inputName]: input });
    if (!(label?.data instanceof BigInt64Array) || !(probabilities?.data instanceof Float32Array)) {
      throw new Error('the model does not have the outputs of a classifier');
    }
    return { labels: Array.from(label.data, Number), probabilities: probabilities.data };
  } finally {
    await session.release();
  }
}

export function measure({ labels, probabilities }: Predictions, rows: LabelledRows): Metrics {
  const classes = probabilities.length / rows.labels.length;
  let right = 0;
  let loss = 0;
  rows.labels.forEach((label, row) => {
    if (labels[row] === label) right++;
    loss -= Math.log(Math.max(probabilities[row * classes + label] ?? 0, 1e-12));
  });
  return {
    accuracy: fourDecimals(right / rows.labels.length),
    log_loss: fourDecimals(loss / rows.labels.length),
    held_out_rows: rows.labels.length,
  };
}

function fourDecimals(value: number): number {
  return Number(value.toFixed(4));
}
