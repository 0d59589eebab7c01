/**
 * What is asked of every peer: one row of the demo model `iris`, with the label that the answer must have. The same
 * request in JSON (Open Inference Protocol) and as a msgpack frame of `/v2/stream`. Pure.
 */
import { Packr } from 'msgpackr';
import { field, listField, textField } from './json-field.ts';
import { firstId } from './load/stream-caller.ts';

export const modelName = 'iris';
export const inferPath: string = `/v2/models/${modelName}/infer`;

/** One row whose class is known. */
export interface Sample {
  /** Name of the model's input, FP32. */
  readonly input: string;
  readonly values: readonly number[];
  readonly label: number;
}

export function jsonRequest({ input, values }: Sample): string {
  const tensor = { name: input, shape: [1, values.length], datatype: 'FP32', data: values };
  return JSON.stringify({ inputs: [tensor] });
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** A frame with the id `firstId`, which comes first in it so that a caller can put in another (stream-caller.ts). */
export function streamRequest({ input, values }: Sample): Uint8Array {
  const data = Buffer.from(Float32Array.from(values).buffer);
  const tensor = { name: input, shape: [1, values.length], datatype: 'FP32', data };
  return packr.pack({ id: firstId, model: modelName, inputs: [tensor] });
}

export function unpackAnswer(message: Uint8Array): unknown {
  return packr.unpack(message);
}

/**
 * Throws unless the answer has the expected label and probabilities that say the same. `answer` is the parsed body:
 * tensor data is a list of numbers (JSON) or little-endian bytes (msgpack).
 */
export function requireLabel(answer: unknown, label: number): void {
  const probabilities = tensorValues(answer, 'probabilities');
  const best = probabilities.indexOf(Math.max(...probabilities));
  const total = probabilities.reduce((sum, probability) => sum + probability, 0);
  const [found] = tensorValues(answer, 'label');
  if (found === label && best === label && Math.abs(total - 1) < 1e-3) return;
  throw new Error(
    `A wrong answer: label ${String(found)}, probabilities ${probabilities.join(' ')}; expected ${label}.`,
  );
}

function tensorValues(answer: unknown, name: string): readonly number[] {
  const tensor = listField(answer, 'outputs').find((output) => field(output, 'name') === name);
  const data = field(tensor, 'data');
  if (data instanceof Uint8Array) return readElements(data, textField(tensor, 'datatype'));
  return listField(tensor, 'data').map(Number);
}

function readElements(bytes: Uint8Array, datatype: string): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [size, read] =
    datatype === 'INT64'
      ? [8, (at: number): number => Number(view.getBigInt64(at, true))]
      : [4, (at: number): number => view.getFloat32(at, true)];
  return Array.from({ length: bytes.length / size }, (_, index) => read(index * size));
}
