/**
 * What makes two requests the same question: the loaded generation, the shapes, the outputs wanted and every element of
 * every input, as the model runs on them. The format they came in is no part of it, so JSON and binary share answers.
 *
 * The elements enter as their SHA-256. Whoever could build two inputs with one digest could make the gateway give the
 * answer to one of them for the other; nobody can, so they are not compared again, and large inputs need not be kept.
 */
import { hash } from 'node:crypto';
import { elementBytes, typedView } from '../../../runtime/tensor/dtype.ts';
import type { ModelSignature } from '../../../runtime/tensor/signature.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { type AdmittedRequest, batchKeyOf } from '../../admission/check-request.ts';
import { type Result, succeed } from '../../wire/error-code.ts';
import type { InputTensor } from '../../wire/infer-request.ts';
import { readStrings, writeElements } from '../../wire/tensor-elements.ts';

/** Larger inputs are run without a look at the cache: digesting this many takes about a millisecond of the event loop. Bytes. */
export const cachedInputBytesMax: number = 1024 * 1024;

/** Every element type is aligned at multiples of this. */
const alignBytes = 8;
const lengthBytes = 4;

export interface KeyedRequest {
  readonly key: string;
  /** The same request with its elements packed, in memory that the next call writes over. */
  readonly request: AdmittedRequest;
}

/** What a key is made for; `session` is another one for every generation that is loaded. */
export interface KeyedGeneration {
  readonly session: number;
  readonly signature: ModelSignature;
}

export class ResponseCacheKeys {
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(4096);

  /**
   * Undefined for a request whose inputs are too large to be looked up.
   * Codes: those of `writeElements` and `readStrings`, for an element that is wrong.
   */
  read({ session, signature }: KeyedGeneration, request: AdmittedRequest): Result<KeyedRequest | undefined> {
    const inputs: InputTensor[] = [];
    let at = 0;
    let bytes = 0;
    for (const input of request.inputs) {
      const start = at;
      const end = input.datatype === 'BYTES' ? this.#packText(input, at) : this.#packNumbers(input, at);
      if (!end.ok) return end;
      if (end.value === undefined) return succeed(undefined);
      const source = { kind: 'packed', bytes: this.#memory.subarray(start, end.value) } as const;
      inputs.push({ ...input, source });
      bytes += end.value - start;
      at = Math.ceil(end.value / alignBytes) * alignBytes;
      this.#memory.fill(0, end.value, at);
    }
    const digest = hash('sha256', this.#memory.subarray(0, at), 'binary');
    const key = `${session}:${request.rows}:${batchKeyOf(signature, request)}:${digest}`;
    // Growing moved what was packed before.
    const packed = inputs.map((input) => this.#inMemory(input));
    // Counted anew: strings take other bytes in other formats, and the same question is to count the same.
    return succeed({ key, request: { ...request, bytes, inputs: packed } });
  }

  /** Where the elements end; undefined when they have no room. */
  #packNumbers(input: InputTensor, at: number): Result<number | undefined> {
    const { datatype, shape } = input;
    if (datatype === 'BYTES') throw new TypeError('strings are no numbers');
    const count = elementCount(shape);
    const end = at + count * elementBytes(datatype);
    if (end > cachedInputBytesMax) return succeed(undefined);
    this.#reserve(end);
    const target = typedView(datatype, {
      buffer: this.#memory.buffer,
      byteOffset: at,
      elementCount: count,
    });
    return writeElements(input, target) ?? succeed(end);
  }

  /** Each string behind its length, as the binary tensor extension writes them. */
  #packText(input: InputTensor, at: number): Result<number | undefined> {
    const strings = readStrings(input);
    if (!strings.ok) return strings;
    let end = at;
    for (const text of strings.value) end += lengthBytes + Buffer.byteLength(text);
    if (end > cachedInputBytesMax) return succeed(undefined);
    this.#reserve(end);
    const memory = Buffer.from(this.#memory.buffer);
    let next = at;
    for (const text of strings.value) {
      const bytes = memory.write(text, next + lengthBytes);
      memory.writeUInt32LE(bytes, next);
      next += lengthBytes + bytes;
    }
    return succeed(end);
  }

  /** Keeps what is packed already; the padding behind the end has room too. */
  #reserve(end: number): void {
    if (end + alignBytes <= this.#memory.length) return;
    const larger = new Uint8Array(2 * (end + alignBytes));
    larger.set(this.#memory);
    this.#memory = larger;
  }

  #inMemory(input: InputTensor): InputTensor {
    const { source } = input;
    if (source.kind !== 'packed' || source.bytes.buffer === this.#memory.buffer) return input;
    const { byteOffset, byteLength } = source.bytes;
    return {
      ...input,
      source: { kind: 'packed', bytes: new Uint8Array(this.#memory.buffer, byteOffset, byteLength) },
    };
  }
}

/** A copy in memory of its own, for a request that may be run later. */
export function keepRequest(request: AdmittedRequest): AdmittedRequest {
  const inputs = request.inputs.map((input) => {
    const { name, datatype, shape, source } = input;
    if (source.kind !== 'packed') throw new TypeError('only packed requests are kept');
    return {
      name,
      datatype,
      shape: [...shape],
      source: { kind: 'packed', bytes: source.bytes.slice() },
    } as const;
  });
  return { ...request, inputs };
}
