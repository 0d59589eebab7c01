/**
 * What the suite knows of a model: its metadata, read leniently (checks hold it against the protocol), and a request that
 * it answers. Pure; discover.ts asks the server.
 */
import { datatypeTable, type Datatype, isDatatype } from './datatype.ts';
import type { Exchange, NoAnswer } from './http-talk.ts';
import { type InferAnswer, isObject } from './infer-message.ts';
import { filledTensor, type Tensor } from './tensor.ts';

export interface Port {
  readonly name: string;
  readonly datatype: Datatype;
  /** -1 is a free dimension. */
  readonly shape: readonly number[];
}

export interface Signature {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly versions: readonly string[];
}

/** FP16 and BF16 have no JSON; a model with one of them is asked in bytes. */
export type Form = 'json' | 'binary';

export type Sample =
  | {
      readonly kind: 'answered';
      readonly form: Form;
      readonly tensors: readonly Tensor[];
      readonly answer: InferAnswer;
    }
  /** The last thing that was tried, and what came. */
  | {
      readonly kind: 'refused';
      readonly form: Form;
      readonly tensors: readonly Tensor[];
      readonly last: Exchange | NoAnswer;
    }
  /** There is no way to ask it. */
  | { readonly kind: 'none'; readonly reason: string };

export interface DiscoveredModel extends Signature {
  readonly name: string;
  /** `/v2/models/<name>` */
  readonly path: string;
  readonly sample: Sample;
  /** Input to the output that gives it back unchanged, where there is one: only there values can be checked exactly. */
  readonly echoes: ReadonlyMap<string, string>;
}

export function modelPath(name: string): string {
  return `/v2/models/${encodeURIComponent(name)}`;
}

/** Undefined when a port is not readable at all. Sizes that came as text, as some servers send them, are taken. */
export function readSignature(metadata: unknown): Signature | undefined {
  if (!isObject(metadata)) return undefined;
  const inputs = readPorts(metadata['inputs']);
  const outputs = readPorts(metadata['outputs']);
  if (inputs === undefined || outputs === undefined) return undefined;
  const { versions } = metadata;
  return { inputs, outputs, versions: Array.isArray(versions) ? versions.map(String) : [] };
}

function readPorts(list: unknown): readonly Port[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const ports: Port[] = [];
  for (const port of list as readonly unknown[]) {
    if (!isObject(port)) return undefined;
    const { name, datatype, shape } = port;
    if (typeof name !== 'string' || !isDatatype(datatype) || !Array.isArray(shape)) return undefined;
    const sizes = shape.map(Number);
    if (!sizes.every(Number.isInteger)) return undefined;
    ports.push({ name, datatype, shape: sizes });
  }
  return ports;
}

/** Names of the models that an index says are ready, each once; undefined when it is no index. */
export function readIndex(index: unknown): readonly string[] | undefined {
  if (!Array.isArray(index)) return undefined;
  const names = (index as readonly unknown[]).flatMap((entry) => {
    if (!isObject(entry) || typeof entry['name'] !== 'string') return [];
    return (entry['state'] ?? 'READY') === 'READY' ? [entry['name']] : [];
  });
  return [...new Set(names)];
}

/** Every free dimension gets the same size, since those of different inputs are often the same one. */
export function ordinaryTensors(inputs: readonly Port[], freeSize: number, offset = 0): readonly Tensor[] {
  return inputs.map(({ name, datatype, shape }) => {
    const sized = { name, datatype, shape: shape.map((size) => (size < 0 ? freeSize : size)) };
    return filledTensor(sized, datatypeTable[datatype].ordinary, offset);
  });
}

/** Undefined when neither form can carry all ports. */
export function formFor({ inputs, outputs }: Signature, hasBinary: boolean): Form | undefined {
  if ([...inputs, ...outputs].every(({ datatype }) => datatypeTable[datatype].hasJson)) return 'json';
  return hasBinary ? 'binary' : undefined;
}
