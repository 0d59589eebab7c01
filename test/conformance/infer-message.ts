/**
 * Inference requests and answers, as JSON and with binary tensor data. Writing cannot fail; reading gives the answer or
 * says in words why it is none.
 */
import { inspect } from 'node:util';
import { elementOfJson, isDatatype, type Element } from './datatype.ts';
import { type JsonValue, readJson, writeJson } from './exact-json.ts';
import type { HttpAnswer } from './http-talk.ts';
import { elementCount, packTensor, type Tensor, unpackElements } from './tensor.ts';

/** Says how many bytes of a body are JSON; the rest are tensors. */
export const jsonBytesHeader = 'inference-header-content-length';

type Parameters = Readonly<Record<string, string | number | boolean>>;

export interface InferOptions {
  readonly id?: string;
  readonly parameters?: Parameters;
  readonly outputs?: readonly { readonly name: string; readonly parameters?: Parameters }[];
  /** `data` as lists in lists, as the shape says. */
  readonly isNested?: boolean;
}

export interface InferBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface InferOutput extends Tensor {
  readonly isBinary: boolean;
}

export interface InferAnswer {
  readonly id: unknown;
  readonly modelName: unknown;
  readonly modelVersion: unknown;
  readonly outputs: readonly InferOutput[];
}

export type Read<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

export function jsonBody(tensors: readonly Tensor[], options: InferOptions = {}): InferBody {
  const inputs = tensors.map((tensor) => jsonInput(tensor, options.isNested));
  return jsonMessage({ ...commonFields(options), inputs });
}

/** Any JSON as the body of a request, also one that makes no sense. */
export function jsonMessage(message: JsonValue): InferBody {
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(writeJson(message)) };
}

/** Tensors whose names are in `asJson` go as JSON beside the binary ones. */
export function binaryBody(
  tensors: readonly Tensor[],
  options: InferOptions & { readonly asJson?: ReadonlySet<string>; readonly paddingBytes?: number } = {},
): InferBody {
  const packed: Buffer[] = [];
  const inputs = tensors.map((tensor): JsonValue => {
    if (options.asJson?.has(tensor.name) === true) return jsonInput(tensor);
    const bytes = packTensor(tensor);
    packed.push(bytes);
    return { ...headOf(tensor), parameters: { binary_data_size: bytes.length } };
  });
  return binaryMessage({ ...commonFields(options), inputs }, packed, options.paddingBytes);
}

/** Any JSON in front of any bytes. */
export function binaryMessage(
  message: JsonValue,
  tensors: readonly Uint8Array[],
  paddingBytes = 0,
): InferBody {
  const json = Buffer.from(writeJson(message) + ' '.repeat(paddingBytes));
  return {
    headers: { 'content-type': 'application/octet-stream', [jsonBytesHeader]: String(json.length) },
    body: Buffer.concat([json, ...tensors]),
  };
}

export function headOf({ name, shape, datatype }: Tensor): { readonly [name: string]: JsonValue } {
  return { name, shape, datatype };
}

export function jsonInput(tensor: Tensor, isNested = false): { readonly [name: string]: JsonValue } {
  return { ...headOf(tensor), data: isNested ? nested(tensor.elements, tensor.shape) : tensor.elements };
}

function commonFields({ id, parameters, outputs }: InferOptions): {
  readonly [name: string]: JsonValue | undefined;
} {
  const wanted = outputs?.map(({ name, parameters: own }): JsonValue => ({ name, parameters: own }));
  return { id, parameters, outputs: wanted };
}

function nested(elements: readonly Element[], shape: readonly number[]): JsonValue {
  if (shape.length <= 1) return elements;
  const [rows = 0, ...rest] = shape;
  const rowElements = elementCount(rest);
  return Array.from({ length: rows }, (_, row) =>
    nested(elements.slice(row * rowElements, (row + 1) * rowElements), rest),
  );
}

/** Reads either form; the header decides which, as it does for requests. */
export function readInferAnswer({ headers, body }: HttpAnswer): Read<InferAnswer> {
  const header = headers.get(jsonBytesHeader);
  if (header === undefined) return readMessage(body, undefined);
  const jsonBytes = /^\d+$/.test(header) ? Number(header) : -1;
  if (jsonBytes < 0 || jsonBytes > body.length) {
    return bad(`the header ${jsonBytesHeader} '${header}' for a body of ${body.length} bytes`);
  }
  return readMessage(body.subarray(0, jsonBytes), body.subarray(jsonBytes));
}

function readMessage(json: Buffer, tensors: Buffer | undefined): Read<InferAnswer> {
  const message = readObject(json);
  if (!message.ok) return message;
  const { id, outputs, model_name: modelName, model_version: modelVersion } = message.value;
  if (!Array.isArray(outputs)) return bad("no list 'outputs'");
  const read: InferOutput[] = [];
  let at = 0;
  for (const output of outputs as readonly unknown[]) {
    const one = readOutput(output, tensors?.subarray(at));
    if (!one.ok) return one;
    read.push(one.value.output);
    at += one.value.bytes;
  }
  const left = (tensors?.length ?? 0) - at;
  if (left !== 0) return bad(`${left} bytes behind the last tensor`);
  return { ok: true, value: { id, modelName, modelVersion, outputs: read } };
}

/** `bytes` is how many of the binary part it took. */
function readOutput(
  output: unknown,
  tensors: Buffer | undefined,
): Read<{ readonly output: InferOutput; readonly bytes: number }> {
  if (!isObject(output)) return bad("'outputs' has something that is no object");
  const { name, datatype, shape, data, parameters } = output;
  if (typeof name !== 'string') return bad("an output without 'name'");
  if (!isDatatype(datatype)) return bad(`output '${name}' without a 'datatype' of the protocol`);
  if (!isSizes(shape)) return bad(`output '${name}' without a 'shape' of whole numbers`);
  const head = { name, datatype, shape };
  const size = isObject(parameters) ? parameters['binary_data_size'] : undefined;
  if (size === undefined) {
    const elements = readJsonElements(head, data);
    return elements.ok
      ? { ok: true, value: { output: { ...head, elements: elements.value, isBinary: false }, bytes: 0 } }
      : elements;
  }
  if (typeof size !== 'number' || tensors === undefined || size > tensors.length) {
    return bad(
      `output '${name}' with binary_data_size ${inspect(size)} and ${tensors?.length ?? 'no'} bytes`,
    );
  }
  const elements = unpackElements(head, tensors.subarray(0, size));
  if (!elements.ok) return bad(`output '${name}' has ${elements.problem}`);
  const whole = { ...head, elements: elements.elements, isBinary: true };
  return { ok: true, value: { output: whole, bytes: size } };
}

function readJsonElements(
  { name, datatype, shape }: Omit<Tensor, 'elements'>,
  data: unknown,
): Read<readonly Element[]> {
  if (!Array.isArray(data)) return bad(`output '${name}' has neither 'data' nor binary data`);
  const flat = (data as readonly unknown[]).flat(Infinity);
  if (flat.length !== elementCount(shape)) {
    return bad(`output '${name}' has ${flat.length} elements for the shape [${shape.join(',')}]`);
  }
  const elements: Element[] = [];
  for (const value of flat) {
    const element = elementOfJson(datatype, value);
    if (element === undefined) return bad(`output '${name}' has ${inspect(value)}, which is no ${datatype}`);
    elements.push(element);
  }
  return { ok: true, value: elements };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function readObject(json: Buffer): Read<Readonly<Record<string, unknown>>> {
  try {
    const value = readJson(json.toString());
    return isObject(value) ? { ok: true, value } : bad('JSON that is no object');
  } catch {
    return bad('a body that is not JSON');
  }
}

function isSizes(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function bad(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}
