/**
 * Inference of the faulty server: every output is the input of the same place. Correct but for the one fault that it is
 * given, and refusing everything that the protocol says cannot be answered.
 */
import { type Datatype, datatypeTable, elementOfJson, isDatatype } from '../conformance/datatype.ts';
import { readJson, writeJson } from '../conformance/exact-json.ts';
import { isObject, jsonBytesHeader } from '../conformance/infer-message.ts';
import { elementCount, packTensor, type Tensor, unpackElements } from '../conformance/tensor.ts';
import type { Fault, Habit } from './fault.ts';

export interface FakeModel {
  readonly name: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: Datatype;
    readonly shape: readonly number[];
  }[];
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** A refusal; the server makes the answer of it. */
export class Refused extends Error {
  readonly status: number;
  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

interface Question {
  readonly model: FakeModel;
  readonly version: string;
  readonly body: Buffer;
  readonly jsonBytes: string | undefined;
  readonly fault: Fault | Habit | undefined;
}

export function infer(question: Question): Reply {
  const { body, jsonBytes, fault } = question;
  if (jsonBytes === '0') return inferRaw(question);
  if (jsonBytes !== undefined && !(/^\d+$/.test(jsonBytes) && Number(jsonBytes) <= body.length)) {
    throw new Refused('the header is not a length within the body');
  }
  const end = jsonBytes === undefined ? body.length : Number(jsonBytes);
  const message = readMessage(body.subarray(0, end), fault);
  const tensors = readTensors(message['inputs'], body.subarray(end), question);
  const wantsBytes = isObject(message['parameters']) && message['parameters']['binary_data_output'] === true;
  const outputs = readOutputs(message['outputs'], question, wantsBytes);
  const id = fault === 'drops-id' ? undefined : message['id'];
  const hasReverse = outputs.length > 1 && outputs[0]?.place === 1;
  return answer(question, {
    ...(typeof id === 'string' ? { id } : {}),
    outputs: outputs.map(({ place, isBinary }) => ({ tensor: tensors[place]!, place, isBinary })),
    isSwapped: fault === 'swaps-bytes' && hasReverse,
  });
}

function inferRaw(question: Question): Reply {
  const { model, body, fault } = question;
  const [input, ...others] = model.inputs;
  if (input === undefined || others.length > 0) throw new Refused('a raw body is for one input');
  const shape = input.shape.map((size) => Math.abs(size));
  const bytes = input.datatype === 'BYTES' ? withLength(body) : body;
  const unpacked = unpackElements({ ...input, shape }, bytes);
  if (!unpacked.ok) throw new Refused(unpacked.problem);
  const tensor = { ...input, shape, elements: unpacked.elements };
  const reply = answer(question, { outputs: [{ tensor, place: 0, isBinary: true }], isSwapped: false });
  if (fault !== 'raw-answer-too-long') return reply;
  return { ...reply, body: Buffer.concat([Buffer.from(reply.body), Buffer.alloc(1)]) };
}

function withLength(text: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text]);
}

function readMessage(json: Buffer, fault: Question['fault']): Readonly<Record<string, unknown>> {
  let message: unknown;
  try {
    message = readJson(new TextDecoder('utf8', { fatal: true }).decode(json));
  } catch {
    throw new Refused('not JSON', fault === 'bad-json-is-500' ? 500 : 400);
  }
  if (!isObject(message)) throw new Refused('not an object');
  return message;
}

/** In the order of the model; `tail` holds the binary ones in the order of the request. */
function readTensors(list: unknown, tail: Buffer, { model, fault }: Question): readonly Tensor[] {
  if (!Array.isArray(list)) throw new Refused("no 'inputs'");
  const tensors = new Map<string, Tensor>();
  let at = 0;
  for (const input of list as readonly unknown[]) {
    const head = readHead(input, model);
    const { data, parameters } = input as Readonly<Record<string, unknown>>;
    if (tensors.has(head.name)) throw new Refused('an input twice');
    const size = isObject(parameters) ? parameters['binary_data_size'] : undefined;
    if (size === undefined) {
      tensors.set(head.name, readData(head, data, fault));
      continue;
    }
    if (typeof size !== 'number' || size < 0 || at + size > tail.length) throw new Refused('unexpected size');
    const unpacked = unpackElements(head, tail.subarray(at, at + size));
    if (!unpacked.ok) throw new Refused(unpacked.problem);
    const tensor = { ...head, elements: unpacked.elements };
    // Elements are texts here, so bytes that are none would change.
    const isText = packTensor(tensor).equals(tail.subarray(at, at + size));
    if (head.datatype === 'BYTES' && !isText && fault !== 'bytes-through-text')
      throw new Refused('not a text');
    tensors.set(head.name, tensor);
    at += size;
  }
  if (at !== tail.length) throw new Refused('unexpected additional input data');
  return model.inputs.map(({ name, datatype, shape }) => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensor;
    if (fault !== 'makes-up-inputs' || tensors.size === 0) throw new Refused(`no input '${name}'`);
    return { name, datatype, shape: shape.map(() => 0), elements: [] };
  });
}

function readHead(input: unknown, model: FakeModel): Omit<Tensor, 'elements'> {
  if (!isObject(input)) throw new Refused('an input that is no object');
  const { name, datatype, shape } = input;
  const port = model.inputs.find((one) => one.name === name);
  if (port === undefined) throw new Refused('an unknown input');
  if (!isDatatype(datatype) || datatype !== port.datatype) throw new Refused('the wrong datatype');
  const sizes: readonly unknown[] = Array.isArray(shape) ? shape : [];
  const isShape = sizes.length === port.shape.length && sizes.every((size) => Number.isSafeInteger(size));
  if (!isShape || !port.shape.every((size, at) => (size < 0 ? Number(sizes[at]) >= 0 : size === sizes[at]))) {
    throw new Refused('the wrong shape');
  }
  return { name: port.name, datatype, shape: sizes.map(Number) };
}

function readData(head: Omit<Tensor, 'elements'>, data: unknown, fault: Question['fault']): Tensor {
  if (!Array.isArray(data)) throw new Refused("no 'data'");
  const flat = (data as readonly unknown[]).flat(Infinity);
  if (flat.length !== elementCount(head.shape)) throw new Refused('the wrong number of elements');
  const elements = flat.map((value) => {
    const element = elementOfJson(head.datatype, value);
    if (element === undefined || !isWithin(head.datatype, element)) throw new Refused('no such element');
    return fault === 'rounds-int64' && typeof element === 'bigint' ? BigInt(Number(element)) : element;
  });
  return { ...head, elements };
}

/** What comes back from bytes as it went into them is in range. */
function isWithin(datatype: Datatype, element: Tensor['elements'][number]): boolean {
  const bits = /INT(\d+)$/.exec(datatype)?.[1];
  if (bits === undefined) return true;
  const { write, read } = datatypeTable[datatype];
  const view = new DataView(new ArrayBuffer(8));
  write(view, 0, element);
  return read(view, 0) === element;
}

interface WantedOutput {
  readonly place: number;
  readonly isBinary: boolean;
}

function readOutputs(
  list: unknown,
  { model, fault }: Question,
  wantsBytes: boolean,
): readonly WantedOutput[] {
  const all = model.inputs.map((_, place) => ({ place, isBinary: wantsBytes }));
  if (list === undefined) return all;
  const wanted = (list as readonly Readonly<Record<string, unknown>>[]).map(({ name, parameters }) => {
    const place = model.inputs.findIndex((_, at) => outputName(at) === name);
    if (place === -1) throw new Refused('unknown output');
    const own = isObject(parameters) ? parameters['binary_data'] : undefined;
    return { place, isBinary: typeof own === 'boolean' ? own : wantsBytes };
  });
  return fault === 'ignores-outputs' && wanted.length < all.length ? all : wanted;
}

export function outputName(place: number): string {
  return `y${place}`;
}

function answer(
  { model, version, fault }: Question,
  given: {
    readonly id?: string;
    readonly outputs: readonly (WantedOutput & { readonly tensor: Tensor })[];
    /** Whether the bytes lie in another order than the JSON says. */
    readonly isSwapped: boolean;
  },
): Reply {
  const packed = given.outputs.flatMap(({ tensor, isBinary }) => (isBinary ? [packTensor(tensor)] : []));
  const outputs = given.outputs.map(({ tensor: { datatype, shape, elements }, place, isBinary }) => {
    const head = { name: outputName(place), datatype, shape };
    // Lists in lists are as good as one list.
    if (!isBinary) return { ...head, data: fault === 'of-triton' ? rowsOf(elements, shape) : elements };
    return { ...head, parameters: { binary_data_size: packTensor({ ...head, elements }).length } };
  });
  const json = Buffer.from(
    writeJson({ model_name: model.name, model_version: version, id: given.id, outputs }),
  );
  if (packed.length === 0) return { status: 200, body: json };
  const headers = { 'content-type': 'application/octet-stream', [jsonBytesHeader]: String(json.length) };
  const tensors = given.isSwapped ? packed.toReversed() : packed;
  return { status: 200, headers, body: Buffer.concat([json, ...tensors]) };
}

/** Of two dimensions, as all the models have. */
function rowsOf(
  elements: Tensor['elements'],
  [rows = 0, columns = 0]: readonly number[],
): readonly Tensor['elements'][] {
  return Array.from({ length: rows }, (_, row) => elements.slice(row * columns, (row + 1) * columns));
}
