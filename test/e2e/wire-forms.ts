/**
 * The client's side of every message format: a call becomes bytes, an answer becomes tensors. Written from
 * docs/protocol.md with JSON.parse and msgpackr, and shares no code with the gateway's own readers and writers.
 */
import { Packr, Unpackr } from 'msgpackr';
import type { Datatype } from '../../runtime/tensor/dtype.ts';
import { halfToNumber, numberToHalf } from '../../runtime/tensor/half-float.ts';
import { packedBytes, type Tensor, tensorOf, tensorOfBytes } from './tensor.ts';

export interface Call {
  readonly model: string;
  readonly version?: string;
  readonly inputs: readonly Tensor[];
  /** Names of the outputs wanted; all when absent. */
  readonly outputs?: readonly string[];
  readonly id?: string | number;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
}

export interface Answered {
  readonly kind: 'answer';
  readonly modelVersion: string;
  readonly outputs: readonly Tensor[];
}

export interface Refused {
  readonly kind: 'error';
  /** Undefined on a WebSocket, which has no status. */
  readonly status: number | undefined;
  readonly code: string;
  readonly message: string;
}

export type Outcome = Answered | Refused;

/** Name and datatype of an output, for the one format that does not say them. */
export type OutputNames = readonly { readonly name: string; readonly datatype: Datatype }[];

type Fields = Readonly<Record<string, unknown>>;

const packer = new Packr({ useRecords: false, variableMapSize: true });
const unpacker = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

export function packed(value: unknown): Buffer {
  return packer.pack(value);
}

export function unpacked(bytes: Uint8Array): Fields {
  return fieldsOf(unpacker.unpack(bytes));
}

export function inferPath({ model, version }: Pick<Call, 'model' | 'version'>): string {
  const versions = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(model)}${versions}/infer`;
}

export function predictPath({ model, version }: Pick<Call, 'model' | 'version'>): string {
  return `/predict/${encodeURIComponent(model)}${version === undefined ? '' : `/${encodeURIComponent(version)}`}`;
}

/** `nested`: arrays in arrays as the shape says, otherwise flat. */
export function oipJsonBody(
  { id, inputs, outputs, parameters }: Call,
  layout: 'flat' | 'nested' = 'flat',
): string {
  const tensors = inputs.map(({ name, datatype, shape, data }) => {
    const elements = [...data].map((element) => elementText(datatype, element));
    const text =
      layout === 'nested' && shape.length > 1 ? nestedText(elements, shape) : `[${elements.join()}]`;
    return `{"name":${JSON.stringify(name)},"shape":[${shape.join()}],"datatype":"${datatype}","data":${text}}`;
  });
  const parts = [
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
    ...(parameters === undefined ? [] : [`"parameters":${JSON.stringify(parameters)}`]),
    `"inputs":[${tensors.join()}]`,
    ...(outputs === undefined ? [] : [`"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}`]),
  ];
  return `{${parts.join()}}`;
}

export function predictBody({ inputs }: Call): string {
  const features = inputs.map(({ name, datatype, shape, data }) => {
    const elements = [...data].map((element) => elementText(datatype, element));
    return [JSON.stringify(name), nestedText(elements, shape)] as const;
  });
  const only = features.length === 1 ? features[0]?.[1] : undefined;
  return `{"features":${only ?? `{${features.map(([name, text]) => `${name}:${text}`).join()}}`}}`;
}

/** `values`: arrays of msgpack values, otherwise packed elements as `bin`. */
export function msgpackMessage(
  { id, inputs, outputs, parameters }: Call,
  { elements = 'bin', fields = {} }: { readonly elements?: 'bin' | 'values'; readonly fields?: Fields } = {},
): Fields {
  return {
    ...fields,
    ...(id === undefined ? {} : { id }),
    ...(parameters === undefined ? {} : { parameters }),
    inputs: inputs.map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      datatype: tensor.datatype,
      data: elements === 'bin' ? Buffer.from(packedBytes(tensor)) : valuesOf(tensor),
    })),
    ...(outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) }),
  };
}

/** A msgpack message of the stream, as an answer or an error. */
export function msgpackOutcome(message: Fields, status: number | undefined): Outcome {
  if (message['error'] !== undefined) return refusedOf(message, status);
  const outputs = listOf(message['outputs']).map((output): Tensor => {
    const { data } = fieldsOf(output);
    const head = headOf(fieldsOf(output));
    if (data instanceof Uint8Array) return tensorOfBytes(head, data);
    return tensorOf(head, listOf(data).map(String));
  });
  return { kind: 'answer', modelVersion: textOf(message['model_version']), outputs };
}

export function oipJsonOutcome(body: Uint8Array, status: number): Outcome {
  const message = parseExactly(body);
  if (message['error'] !== undefined) return refusedOf(message, status);
  const outputs = listOf(message['outputs']).map((output) => {
    const fields = fieldsOf(output);
    return tensorOfJson(headOf(fields), listOf(fields['data']));
  });
  return { kind: 'answer', modelVersion: textOf(message['model_version']), outputs };
}

/** `names` are the outputs of the model in its order; the rules for the two special ones are those of the protocol. */
export function predictOutcome(body: Uint8Array, status: number, names: OutputNames): Outcome {
  const message = parseExactly(body);
  if (message['error'] !== undefined) return refusedOf(message, status);
  const further = message['outputs'] === undefined ? {} : fieldsOf(message['outputs']);
  const special = predictOutputs(names);
  const outputs = names.flatMap(({ name, datatype }) => {
    const key = name === special.prediction ? 'prediction' : 'probabilities';
    const value =
      name === special.prediction || name === special.probabilities ? message[key] : further[name];
    return value === undefined
      ? []
      : [tensorOfJson({ name, datatype, shape: nestingOf(value) }, flat(value))];
  });
  return { kind: 'answer', modelVersion: textOf(message['model_version']), outputs };
}

function predictOutputs(names: OutputNames): { prediction?: string; probabilities?: string } {
  const named = (wanted: readonly string[]): string | undefined =>
    wanted.find((name) => names.some((output) => output.name === name));
  const float = (datatype: Datatype): boolean => datatype.startsWith('FP');
  const prediction =
    named(['label', 'prediction', 'output_label', 'class']) ??
    names.find(({ datatype }) => !float(datatype))?.name ??
    names[0]?.name;
  const probabilities =
    named(['probabilities', 'output_probability', 'probability', 'scores']) ??
    names.find(({ name, datatype }) => name !== prediction && float(datatype))?.name;
  return {
    ...(prediction === undefined ? {} : { prediction }),
    ...(probabilities === undefined ? {} : { probabilities }),
  };
}

/** JSON.parse loses whole numbers beyond 2^53; as strings they survive, and every reader here takes strings. */
function parseExactly(body: Uint8Array): Fields {
  const text = Buffer.from(body).toString();
  return fieldsOf(JSON.parse(text.replace(/(?<=[[,:])-?\d{16,}(?=[,\]}])/g, '"$&"')));
}

function elementText(datatype: Datatype, element: number | bigint | string): string {
  if (typeof element === 'string') return JSON.stringify(element);
  if (typeof element === 'bigint') return element.toString();
  if (datatype === 'BOOL') return element === 0 ? 'false' : 'true';
  const value = datatype === 'FP16' ? halfToNumber(element) : element;
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function nestedText(elements: readonly string[], shape: readonly number[]): string {
  const [size = 0, ...inner] = shape;
  if (shape.length === 0) return elements[0] ?? '';
  if (inner.length === 0) return `[${elements.join()}]`;
  const step = size === 0 ? 0 : elements.length / size;
  const parts = Array.from({ length: size }, (_, index) =>
    nestedText(elements.slice(index * step, (index + 1) * step), inner),
  );
  return `[${parts.join()}]`;
}

function valuesOf({ datatype, data }: Tensor): unknown[] {
  return [...data].map((element) => {
    if (datatype === 'BOOL') return element !== 0;
    return datatype === 'FP16' ? halfToNumber(Number(element)) : element;
  });
}

function tensorOfJson(head: Omit<Tensor, 'data'>, elements: readonly unknown[]): Tensor {
  const values = elements.map((element) => {
    switch (head.datatype) {
      case 'BYTES':
        return textOf(element);
      case 'INT64':
      case 'UINT64':
        return BigInt(numberOrText(element));
      case 'FP16':
        return numberToHalf(Number(element));
      case 'BOOL':
        if (typeof element !== 'boolean') throw new TypeError('a BOOL that is not true or false');
        return Number(element);
      case 'UINT8':
      case 'UINT16':
      case 'UINT32':
      case 'INT8':
      case 'INT16':
      case 'INT32':
      case 'FP32':
      case 'FP64':
        return Number(numberOrText(element));
    }
  });
  return tensorOf(head, values);
}

function numberOrText(value: unknown): number | string {
  if (typeof value === 'number' || typeof value === 'string') return value;
  throw new TypeError(`not a number: ${JSON.stringify(value)}`);
}

function headOf({ name, datatype, shape }: Fields): Omit<Tensor, 'data'> {
  return { name: textOf(name), datatype: textOf(datatype) as Datatype, shape: listOf(shape).map(Number) };
}

function refusedOf({ error, code }: Fields, status: number | undefined): Refused {
  return { kind: 'error', status, code: textOf(code), message: textOf(error) };
}

function nestingOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...nestingOf(value[0])] : [];
}

function flat(value: unknown): unknown[] {
  return Array.isArray(value) ? value.flatMap(flat) : [value];
}

export function fieldsOf(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new TypeError(`not a map: ${String(value)}`);
  return value as Fields;
}

export function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`not a list: ${String(value)}`);
  return value;
}

export function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`not a text: ${String(value)}`);
  return value;
}
