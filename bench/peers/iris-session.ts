/** The demo model in a bare onnxruntime-web session, set up as the gateway's workers set it up. */
import * as ort from 'onnxruntime-web';
import { readFileSync } from 'node:fs';

export async function openSession(modelFile: string): Promise<ort.InferenceSession> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  return ort.InferenceSession.create(readFileSync(modelFile), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
}

/** The elements of a result as JSON can hold them. */
export function jsonElements(tensor: ort.Tensor): number[] {
  const { data } = tensor;
  if (data instanceof BigInt64Array) return Array.from(data, Number);
  if (data instanceof Float32Array) return Array.from(data);
  throw new TypeError(`The demo model has no output of type ${tensor.type}.`);
}
