/**
 * One loaded model on one thread: creation, comparison with the signed signature, and runs. It takes the shapes it is
 * given and decides nothing about batches or memory. Only this folder knows onnxruntime.
 */
import { setFlagsFromString } from 'node:v8';
import * as ort from 'onnxruntime-web';
import { datatypeOfOnnx, onnxTypeOf, type NumericArray } from '../tensor/dtype.ts';
import type { ModelSignature, TensorSpec } from '../tensor/signature.ts';

// One WebAssembly instance a thread, no threads of its own: parallelism comes from the pool.
ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

// A function of the runtime that only registers operators has 887 kB of code. With V8's own budget of 1.8 million it counts
// as hot once two threads have started, and optimising it takes 12 s of processor time and memory that stays with the
// process. With this budget it does not, and what really is hot is still optimised, a few milliseconds later
// (docs/operations.md, "Memory"). The flag is for the whole process, so it must come before the first session.
setFlagsFromString('--wasm-tiering-budget=20000000');

const sessionOptions: ort.InferenceSession.SessionOptions = {
  executionProviders: ['wasm'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
};

/** The smallest model there is: `y = Identity(x)`, one float. 63 bytes of ONNX, opset 13. */
const smallestModel = 'CAhCAhANOjcKEAoBeBIBeSIISWRlbnRpdHkSAWdaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggB';

/**
 * Compiles and starts the runtime, which it does with its first session: that takes a hundred times as long as loading a
 * small model, and can be over before there is one. Throws what onnxruntime throws where it cannot run at all.
 */
export async function startRuntime(): Promise<void> {
  const session = await ort.InferenceSession.create(Buffer.from(smallestModel, 'base64'), sessionOptions);
  await session.release();
}

/** Elements of one tensor with its sizes; row-major. The data may alias shared memory: the runtime copies it. */
export interface SessionTensor {
  readonly shape: readonly number[];
  readonly data: NumericArray | readonly string[];
}

export class OnnxSession {
  readonly #session: ort.InferenceSession;
  readonly #signature: ModelSignature;
  readonly #outputNames: readonly string[];

  private constructor(session: ort.InferenceSession, signature: ModelSignature) {
    this.#session = session;
    this.#signature = signature;
    this.#outputNames = signature.outputs.map((spec) => spec.name);
  }

  /** Throws what onnxruntime throws when the bytes are not a model it can load. */
  static async create(model: Uint8Array, signature: ModelSignature): Promise<OnnxSession> {
    return new OnnxSession(await ort.InferenceSession.create(model, sessionOptions), signature);
  }

  /** What differs between the file and the signature, in words; undefined when nothing does. */
  signatureDifference(): string | undefined {
    return (
      firstDifference('input', this.#session.inputMetadata, this.#signature.inputs) ??
      firstDifference('output', this.#session.outputMetadata, this.#signature.outputs)
    );
  }

  /**
   * `inputs` in the order of the signature; `outputs` are indexes into the signature, undefined for all. The results
   * are fresh arrays in the order asked for. Throws what onnxruntime throws for inputs the model cannot take.
   */
  async run(
    inputs: readonly SessionTensor[],
    outputs: readonly number[] | undefined,
  ): Promise<SessionTensor[]> {
    const feeds: Record<string, ort.Tensor> = {};
    for (const [index, spec] of this.#signature.inputs.entries())
      feeds[spec.name] = toOrt(spec, inputs[index]);
    const names = outputs?.map((index) => this.#outputNames[index] ?? '') ?? this.#outputNames;
    const results = await this.#session.run(feeds, names);
    return names.map((name) => fromOrt(name, results[name]));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function toOrt(spec: TensorSpec, input: SessionTensor | undefined): ort.Tensor {
  if (input === undefined) throw new RangeError(`no tensor for input ${spec.name}`);
  // The constructor's overloads tie each type name to its array type; the dtype table has done so already.
  return new ort.Tensor(onnxTypeOf(spec.datatype), input.data, input.shape);
}

function fromOrt(name: string, tensor: ort.Tensor | undefined): SessionTensor {
  if (tensor === undefined) throw new Error(`the runtime gave no output ${name}`);
  return { shape: tensor.dims, data: tensor.data };
}

function firstDifference(
  what: 'input' | 'output',
  found: readonly ort.InferenceSession.ValueMetadata[],
  promised: readonly TensorSpec[],
): string | undefined {
  if (found.length !== promised.length) {
    return `the file has ${found.length} ${what}s, the manifest says ${promised.length}`;
  }
  for (const [index, spec] of promised.entries()) {
    const difference = specDifference(found[index], spec);
    if (difference !== undefined) return `${what} ${spec.name}: ${difference}`;
  }
  return undefined;
}

function specDifference(
  found: ort.InferenceSession.ValueMetadata | undefined,
  spec: TensorSpec,
): string | undefined {
  if (found?.name !== spec.name) return `the file has ${found?.name ?? 'nothing'} in its place`;
  if (!found.isTensor) return 'the file has something that is not a tensor';
  if (datatypeOfOnnx(found.type) !== spec.datatype)
    return `the file says ${found.type}, the manifest ${spec.datatype}`;
  if (!sameShape(found.shape, spec.shape)) {
    return `the file says shape [${found.shape.join()}], the manifest [${spec.shape.join()}]`;
  }
  return undefined;
}

/** A size that is free on either side fits anything: the file names free dimensions, the manifest writes -1. */
function sameShape(found: readonly (number | string)[], promised: readonly number[]): boolean {
  if (found.length !== promised.length) return false;
  return promised.every((size, axis) => {
    const dimension = found[axis];
    return size < 0 || typeof dimension !== 'number' || dimension < 0 || dimension === size;
  });
}
