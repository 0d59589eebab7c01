/**
 * One loaded model on one thread: creation, comparison with the signed signature, and runs. It takes the shapes it is
 * given and decides nothing about batches or memory. Which library it is loaded with is the business of the thread
 * (thread-engine.ts).
 */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { datatypeOfOnnx, onnxTypeOf, type NumericArray } from '../tensor/dtype.ts';
import type { ModelSignature, TensorSpec } from '../tensor/signature.ts';
import type { Engine } from './engine.ts';
import { engineOfThread } from './thread-engine.ts';

/** Elements of one tensor with its sizes; row-major. The data may alias shared memory: a run copies it. */
export interface SessionTensor {
  readonly shape: readonly number[];
  readonly data: NumericArray | readonly string[];
}

export class OnnxSession {
  readonly #engine: Engine;
  readonly #session: InferenceSession;
  readonly #signature: ModelSignature;
  readonly #outputNames: readonly string[];

  private constructor(engine: Engine, session: InferenceSession, signature: ModelSignature) {
    this.#engine = engine;
    this.#session = session;
    this.#signature = signature;
    this.#outputNames = signature.outputs.map((spec) => spec.name);
  }

  /** Throws what onnxruntime throws when the bytes are not a model it can load. */
  static async create(model: Uint8Array, signature: ModelSignature): Promise<OnnxSession> {
    const engine = await engineOfThread();
    return new OnnxSession(engine, await engine.createSession(model), signature);
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
    const feeds: Record<string, Tensor> = {};
    for (const [index, spec] of this.#signature.inputs.entries())
      feeds[spec.name] = this.#toOrt(spec, inputs[index]);
    const names = outputs?.map((index) => this.#outputNames[index] ?? '') ?? this.#outputNames;
    const results = await this.#session.run(feeds, names);
    return names.map((name) => fromOrt(name, results[name]));
  }

  async release(): Promise<void> {
    await this.#session.release();
  }

  #toOrt(spec: TensorSpec, input: SessionTensor | undefined): Tensor {
    if (input === undefined) throw new RangeError(`no tensor for input ${spec.name}`);
    const { shape, data } = input;
    const readable = ArrayBuffer.isView(data) ? this.#engine.readable(data) : data;
    // The constructor's overloads tie each type name to its array type; the dtype table has done so already.
    return new this.#engine.Tensor(onnxTypeOf(spec.datatype), readable, shape);
  }
}

function fromOrt(name: string, tensor: Tensor | undefined): SessionTensor {
  if (tensor === undefined) throw new Error(`the runtime gave no output ${name}`);
  return { shape: tensor.dims, data: tensor.data };
}

function firstDifference(
  what: 'input' | 'output',
  found: readonly InferenceSession.ValueMetadata[],
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
  found: InferenceSession.ValueMetadata | undefined,
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
