/**
 * A model in a bare onnxruntime session: of onnxruntime-web, set up as the gateway's workers set it up, or of
 * onnxruntime-node, which has the same interface and is not a dependency (peers/ort-node.ts).
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type * as ort from 'onnxruntime-web';
import { field } from '../json-field.ts';

/** `web`, or the file by which onnxruntime-node is imported. */
export type OrtBackend = string;

export type Ort = typeof ort;

/** `intraOpThreads` a run may use; with WebAssembly the first session decides for all. */
export async function loadOrt(backend: OrtBackend, intraOpThreads = 1): Promise<Ort> {
  if (backend === 'web') {
    const web: Ort = await import('onnxruntime-web');
    web.env.wasm.numThreads = intraOpThreads;
    web.env.logLevel = 'error';
    return web;
  }
  // The native runtime uploads telemetry and leaves files of it behind, unless this is set before it is loaded.
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
  const node: unknown = await import(pathToFileURL(backend).href);
  if (isOrt(node)) return node;
  // A CommonJS package whose names could not be told in advance.
  const whole = field(node, 'default');
  if (isOrt(whole)) return whole;
  throw new TypeError(`${backend} is no onnxruntime.`);
}

export async function openSession(
  { InferenceSession }: Ort,
  backend: OrtBackend,
  { modelFile, intraOpThreads = 1 }: { readonly modelFile: string; readonly intraOpThreads?: number },
): Promise<ort.InferenceSession> {
  const common = { graphOptimizationLevel: 'all', logSeverityLevel: 3 } as const;
  return InferenceSession.create(
    readFileSync(modelFile),
    backend === 'web'
      ? { ...common, executionProviders: ['wasm'] }
      : { ...common, executionProviders: ['cpu'], intraOpNumThreads: intraOpThreads, interOpNumThreads: 1 },
  );
}

/** The elements of a result as JSON can hold them. */
export function jsonElements(tensor: ort.Tensor): number[] {
  const { data } = tensor;
  if (data instanceof BigInt64Array) return Array.from(data, Number);
  if (data instanceof Float32Array) return Array.from(data);
  throw new TypeError(`The models of the bench have no output of type ${tensor.type}.`);
}

function isOrt(value: unknown): value is Ort {
  return typeof value === 'object' && value !== null && 'InferenceSession' in value && 'Tensor' in value;
}
