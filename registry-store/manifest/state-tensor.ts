/**
 * What a version remembers between the calls of one sequence: inputs that are filled with what outputs gave the time
 * before. Callers neither send the ones nor get the others. Declared at publish, since no ONNX file says it.
 */
import type { FieldReader } from './field-reader.ts';
import { type ModelSignature, shapeFits, type TensorSignature } from './signature.ts';

/** One tensor of the state. It begins as zeros. */
export interface StateTensor {
  readonly input: string;
  readonly output: string;
  /** What it begins with. Only the first size may be -1: as many as the first input of the first call has. */
  readonly shape: readonly number[];
}

/** A state that is declared without sizes where the model fixes them. */
export type StateDeclaration = Omit<StateTensor, 'shape'> & {
  readonly shape?: readonly number[] | undefined;
};

export const stateTensorsMax = 64;

/** Bytes of all state tensors at their beginning, a first size of -1 counted once. */
const stateBytesMax = 16 * 1024 * 1024;

/** Bytes of an element; BYTES have no size and no zero, and cannot be state. */
const elementBytes: Readonly<Record<Exclude<TensorSignature['datatype'], 'BYTES'>, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
};

/** `state=stateN`, and with its sizes `state=stateN,2x1x128`; a comma without sizes is a scalar. */
export function parseStateDeclaration(text: string): StateDeclaration | undefined {
  const [, input, output, tail, sizes] =
    /^([^=]+)=([^,]+)(,((?:-1|\d{1,10})(?:x\d{1,10})*)?)?$/.exec(text) ?? [];
  if (input === undefined || output === undefined) return undefined;
  if (tail === undefined) return { input, output };
  return { input, output, shape: sizes?.split('x').map(Number) ?? [] };
}

/** Fills in sizes that the model fixes. What is left free stays -1, and `stateProblem` says so where it may not. */
export function declaredState(
  declarations: readonly StateDeclaration[],
  signature: ModelSignature,
): readonly StateTensor[] {
  return declarations.map(({ input, output, shape }) => {
    const spec = signature.inputs.find(({ name }) => name === input);
    return { input, output, shape: shape ?? spec?.shape ?? [] };
  });
}

/** What is wrong with a state for this signature, as the end of a sentence; undefined when nothing is. */
export function stateProblem(state: readonly StateTensor[], signature: ModelSignature): string | undefined {
  const { inputs, outputs } = signature;
  let bytes = 0;
  for (const { input, output, shape } of state) {
    const what = `the state ${input}=${output}`;
    const from = inputs.find(({ name }) => name === input);
    const to = outputs.find(({ name }) => name === output);
    if (from === undefined) return `${what}: the model has no input ${input}`;
    if (to === undefined) return `${what}: the model has no output ${output}`;
    if (from.datatype === 'BYTES') return `${what}: text cannot be state`;
    if (from.datatype !== to.datatype)
      return `${what}: ${output} is ${to.datatype}, ${input} ${from.datatype}`;
    if (!shapeFits(to.shape, from.shape))
      return `${what}: ${output} has the shape [${to.shape.join()}], ${input} takes [${from.shape.join()}]`;
    const problem = shapeProblem(shape, from.shape);
    if (problem !== undefined) return `${what}: ${problem}`;
    bytes += shape.reduce((product, size) => product * Math.abs(size), elementBytes[from.datatype]);
  }
  if (bytes > stateBytesMax) return `the state begins with ${bytes} bytes; the limit is ${stateBytesMax}`;
  if (hasTwice(state.map(({ input }) => input))) return 'an input is declared twice as state';
  if (hasTwice(state.map(({ output }) => output))) return 'an output is declared twice as state';
  if (state.length >= inputs.length) return 'every input is state, so that a call would have nothing to send';
  if (state.length >= outputs.length) return 'every output is state, so that a call would have no answer';
  return undefined;
}

export function stateJson(state: readonly StateTensor[]): readonly Readonly<Record<string, unknown>>[] {
  return state.map(({ input, output, shape }) => ({ input, output, shape }));
}

/** Missing where there is none: most versions, and all that were published before there was state. */
export function readState(reader: FieldReader, signature: ModelSignature): readonly StateTensor[] {
  if (!reader.has('state')) return [];
  const names = { lengthMax: 512 };
  const state = reader.list('state', stateTensorsMax).map((value, index) => {
    const entry = reader.nest(value, `state[${index}]`);
    const shape = entry.list('shape', 16).map((size) => {
      const fits = typeof size === 'number' && Number.isSafeInteger(size) && size >= -1;
      if (!fits) entry.reject('has a size that is not one');
      return fits ? size : 0;
    });
    return { input: entry.text('input', names), output: entry.text('output', names), shape };
  });
  const problem = reader.problem === undefined ? stateProblem(state, signature) : undefined;
  if (problem !== undefined) reader.reject(`declares what cannot be: ${problem}`);
  return state;
}

function shapeProblem(shape: readonly number[], spec: readonly number[]): string | undefined {
  const fits = shape.length === spec.length && shapeFits(shape, spec);
  if (!fits) return `it cannot begin with [${shape.join()}], the model takes [${spec.join()}]`;
  if (shape.some((size, axis) => size < 0 && axis > 0))
    return `the model leaves sizes of [${shape.join()}] open; say what it begins with`;
  return undefined;
}

function hasTwice(names: readonly string[]): boolean {
  return new Set(names).size < names.length;
}
