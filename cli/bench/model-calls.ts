/**
 * What is asked of the model under load: random tensors of the shape that the server says it takes, or requests from a
 * file. Pure, and the same for the same seed.
 */
import type { InferCall } from '../../client/infer-call.ts';
import { type Datatype, isDatatype } from '../../client/tensor/datatype.ts';
import { tensor, type Tensor } from '../../client/tensor/tensor.ts';
import type { ModelMetadata, TensorMetadata } from '../../client/server-metadata.ts';
import { seededRandom, type SeededRandom } from '../../deploy/demo/seeded-random.ts';

export interface CallOptions {
  readonly model: string;
  readonly version: string | undefined;
  readonly deadlineMs: number | undefined;
}

export type Calls =
  | { readonly ok: true; readonly calls: readonly InferCall[] }
  /** In words for a person, with what to do. */
  | { readonly ok: false; readonly problem: string };

/** Different random requests that are sent in turn, fewer where they are large. */
const callsWanted = 16;
const elementsMax = 4_000_000;
/** Requests that a file may hold. */
const fileCallsMax = 1000;

/** `rows` is the first dimension of every input that leaves it open. */
export function randomCalls(
  metadata: ModelMetadata,
  options: CallOptions & { readonly rows: number; readonly seed: number },
): Calls {
  const { rows, seed, ...call } = options;
  const shapes = metadata.inputs.map(({ shape }) =>
    shape.map((size, index) => (size === -1 && index === 0 ? rows : size)),
  );
  for (const [index, { name, datatype, shape }] of metadata.inputs.entries()) {
    if (!isDatatype(datatype))
      return { ok: false, problem: `The input ${name} is of ${datatype}; give --input.` };
    if (shapes[index]?.includes(-1) === true) {
      const problem = `The input ${name} has the shape [${shape.join(', ')}], where more than the rows is open. Give --input with a request.`;
      return { ok: false, problem };
    }
    const first = shape[0] ?? 1;
    if (rows > 1 && first !== -1 && first !== rows) {
      return {
        ok: false,
        problem: `The input ${name} takes ${first} rows at a time, not ${rows}: leave --rows out.`,
      };
    }
  }
  const elements = shapes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
  if (elements > elementsMax) {
    return {
      ok: false,
      problem: `One request would have ${elements} elements; at most ${elementsMax} are made up.`,
    };
  }
  const count = Math.max(1, Math.min(callsWanted, Math.floor(elementsMax / Math.max(1, elements))));
  const random = seededRandom(seed);
  const calls = Array.from({ length: count }, () => {
    const inputs = metadata.inputs.map(
      (input, index) => [input.name, randomTensor(input, shapes[index] ?? [], random)] as const,
    );
    return { ...call, inputs: Object.fromEntries(inputs) };
  });
  return { ok: true, calls };
}

/** Small numbers, which every model takes: fractions, and whole numbers from 0 to 9 where only those fit. */
function randomTensor({ datatype }: TensorMetadata, shape: readonly number[], random: SeededRandom): Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  const list = <Value>(value: () => Value): Value[] => Array.from({ length }, value);
  const kind = datatype as Datatype;
  switch (kind) {
    case 'BYTES':
      return tensor(
        kind,
        shape,
        list(() => `text ${random.below(10)}`),
      );
    case 'BOOL':
      return tensor(
        kind,
        shape,
        list(() => random.below(2) === 1),
      );
    case 'FP16':
    case 'FP32':
    case 'FP64':
      // Rounded: JSON of a load test should be as long as that of real features, not of random bits.
      return tensor(
        kind,
        shape,
        list(() => Math.round(random.next() * 1e4) / 1e4),
      );
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'UINT64':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'INT64':
      return tensor(
        kind,
        shape,
        list(() => random.below(10)),
      );
  }
}

/** `value` is the JSON of a file: one request of the protocol, `{"inputs": [...]}`, or a list of them. */
export function callsOfFile(value: unknown, options: CallOptions): Calls {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > fileCallsMax) {
    return { ok: false, problem: `A file of requests holds 1 to ${fileCallsMax} of them.` };
  }
  try {
    return { ok: true, calls: list.map((request) => ({ ...options, inputs: inputsOf(request) })) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      problem: `${reason} Write {"inputs": [{"name", "shape", "datatype", "data"}]}, or a list of such requests.`,
    };
  }
}

function inputsOf(request: unknown): Readonly<Record<string, Tensor>> {
  const inputs = fieldOf(request, 'inputs');
  if (!Array.isArray(inputs) || inputs.length === 0) throw new TypeError('A request has no inputs.');
  return Object.fromEntries(
    inputs.map((input: unknown) => {
      const [name, shape, datatype, data] = ['name', 'shape', 'datatype', 'data'].map((field) =>
        fieldOf(input, field),
      );
      if (
        typeof name !== 'string' ||
        !Array.isArray(shape) ||
        !isDatatype(datatype) ||
        !Array.isArray(data)
      ) {
        throw new TypeError('An input has no name, shape, datatype or data that can be read.');
      }
      return [name, tensor(datatype, shape.map(Number), data.flat(Infinity) as never)];
    }),
  );
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
