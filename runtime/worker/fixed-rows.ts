/**
 * A session whose runs have exactly so many rows, behind the face of one that takes fewer: what is missing is filled up
 * with copies of the last row, and their answers are cut off. So no row that nobody sent leaves the thread.
 *
 * Copies and not zeros: a row that somebody sent is one that the model takes, whatever its values mean, while zeros may be an
 * unknown word or a division by nothing, for which a run fails that none of its callers made fail.
 */
import { elementBytes, type NumericArray, typedView } from '../tensor/dtype.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../tensor/signature.ts';
import type { SessionTensor } from './onnx-session.ts';
import type { LoadedSession } from './session-chain.ts';

export class FixedRowsSession implements LoadedSession {
  readonly #session: LoadedSession;
  readonly #signature: ModelSignature;
  readonly #fixedRows: number;
  /** Of the last run that was filled up, by input; used again where the next one has the same size. */
  readonly #filled: (ArrayBuffer | undefined)[] = [];

  constructor(session: LoadedSession, signature: ModelSignature, fixedRows: number) {
    this.#session = session;
    this.#signature = signature;
    this.#fixedRows = fixedRows;
  }

  signatureDifference(): string | undefined {
    return this.#session.signatureDifference();
  }

  /** One run, whatever the rows: `[rows, ...]` goes in and comes out. More rows than are fixed are the model's to refuse. */
  async run(
    inputs: readonly SessionTensor[],
    outputs: readonly number[] | undefined,
  ): Promise<SessionTensor[]> {
    const rows = inputs[0]?.shape[0] ?? 0;
    if (rows >= this.#fixedRows || rows < 1) return this.#session.run(inputs, outputs);
    const filled = this.#signature.inputs.map((spec, index) => this.#fill(spec, inputs[index], index));
    const results = await this.#session.run(filled, outputs);
    return results.map((result) => this.#cut(result, rows));
  }

  release(): Promise<void> {
    return this.#session.release();
  }

  #fill(spec: TensorSpec, input: SessionTensor | undefined, index: number): SessionTensor {
    if (input === undefined) throw new RangeError(`no tensor for input ${spec.name}`);
    const rowShape = input.shape.slice(1);
    const shape = [this.#fixedRows, ...rowShape];
    const { data } = input;
    if (!ArrayBuffer.isView(data)) {
      const lastRow = data.slice(data.length - elementCount(rowShape));
      const missing = Array.from({ length: this.#fixedRows - (input.shape[0] ?? 0) }, () => lastRow);
      return { shape, data: [...data, ...missing.flat()] };
    }
    if (spec.datatype === 'BYTES') throw new TypeError(`input ${spec.name} takes strings`);
    const count = elementCount(shape);
    const buffer = this.#bufferOf(index, count * elementBytes(spec.datatype));
    fillWithLast(new Uint8Array(buffer), data, elementCount(rowShape) * elementBytes(spec.datatype));
    return { shape, data: typedView(spec.datatype, { buffer, byteOffset: 0, elementCount: count }) };
  }

  /** A thread runs one thing at a time, and a run copies its inputs: what is here is free again by the next. */
  #bufferOf(index: number, bytes: number): ArrayBuffer {
    let buffer = this.#filled[index];
    if (buffer?.byteLength !== bytes) {
      buffer = new ArrayBuffer(bytes);
      this.#filled[index] = buffer;
    }
    return buffer;
  }

  /** A result of another number of rows than the run is left as it is: it breaks a promise, and whoever asked will see that. */
  #cut({ shape, data }: SessionTensor, rows: number): SessionTensor {
    if (shape[0] !== this.#fixedRows) return { shape, data };
    const rowShape = shape.slice(1);
    const count = rows * elementCount(rowShape);
    const own = ArrayBuffer.isView(data) ? data.subarray(0, count) : data.slice(0, count);
    return { shape: [rows, ...rowShape], data: own };
  }
}

function fillWithLast(target: Uint8Array, rows: NumericArray, rowBytes: number): void {
  const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
  target.set(bytes);
  const last = bytes.byteLength - rowBytes;
  for (let at = bytes.byteLength; at < target.byteLength; at += rowBytes) {
    target.copyWithin(at, last, last + rowBytes);
  }
}
