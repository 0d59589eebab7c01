/**
 * Joins calls of one row each into one request of several rows, and splits the answer again. Right for models whose
 * rows do not look at each other, which is why it is off unless `batchRowsMax` asks for it.
 */
import { InferResult } from '../infer-result.ts';
import type { InferCall } from '../infer-call.ts';
import type { NamedTensor } from '../tensor/tensor.ts';
import type { RequestFields } from '../wire/request-fields.ts';

type Fields = Omit<RequestFields, 'remainingMs'>;

/** The same for calls that may be joined: all that matters to the model but the rows. Undefined for other calls. */
export function joinKeyOf(call: InferCall): string | undefined {
  const inputs = Object.entries(call.inputs);
  if (inputs.length === 0 || Object.keys(call.parameters ?? {}).length > 0) return undefined;
  if (!inputs.every(([, { shape }]) => shape[0] === 1)) return undefined;
  const rows = inputs.map(([name, { datatype, shape }]) => [name, datatype, ...shape]);
  return JSON.stringify([call.model, call.version, call.priority, call.outputs, rows]);
}

/** All rows in the order of `requests`, which have one join key. */
export function joinRows(requests: readonly [Fields, ...Fields[]]): Fields {
  const [first] = requests;
  const inputs = first.inputs.map((input, index) => {
    const rows = requests.map((request) => request.inputs[index] ?? input);
    return { ...joinTensors(rows), shape: [requests.length, ...input.shape.slice(1)] };
  });
  return { ...first, inputs };
}

/** One result for each row, or undefined when an output does not have `rows` rows. */
export function splitRows(result: InferResult, rows: number): readonly InferResult[] | undefined {
  if (!result.outputs.every(({ shape }) => shape[0] === rows)) return undefined;
  return Array.from({ length: rows }, (_, row) => {
    const outputs = result.outputs.map((output) => {
      const elements = output.data.length / rows;
      const data = output.data.slice(row * elements, (row + 1) * elements);
      return { ...output, shape: [1, ...output.shape.slice(1)], data } as NamedTensor;
    });
    const { model, version, cache } = result;
    return new InferResult({ model, version, outputs, cache });
  });
}

/** Equal in datatype and shape, since their calls have one join key. */
function joinTensors(tensors: readonly NamedTensor[]): NamedTensor {
  const [first] = tensors;
  if (first === undefined) throw new RangeError('nothing to join');
  if (first.datatype === 'BYTES')
    return { ...first, data: tensors.flatMap(({ data }) => [...data] as string[]) };
  const bytes = new Uint8Array(first.data.byteLength * tensors.length);
  for (const [index, { data }] of tensors.entries()) {
    if (ArrayBuffer.isView(data)) {
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), index * first.data.byteLength);
    }
  }
  const elements = first.data.length * tensors.length;
  const arrayOf = first.data.constructor as new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => unknown;
  return { ...first, data: new arrayOf(bytes.buffer, 0, elements) } as NamedTensor;
}
