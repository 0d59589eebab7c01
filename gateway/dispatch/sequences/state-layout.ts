/**
 * Which tensors of a stateful model its callers see, and how the others get from one run to the next. A run takes and
 * gives all of them; to everything between the socket and this file the model is what is left without its state.
 */
import type { StateTensor } from '../../../registry-store/main.ts';
import { elementBytes } from '../../../runtime/tensor/dtype.ts';
import { elementCount, type ModelSignature, type TensorSpec } from '../../../runtime/tensor/signature.ts';
import type { AdmittedRequest } from '../../admission/check-request.ts';
import { isNumericColumn } from '../../wire/classification.ts';
import type { InferReply, InputTensor, OutputColumn } from '../../wire/infer-request.ts';
import type { StateConfiguration } from '../../wire/oip-metadata.ts';

/** One tensor of a state between two runs. Owned by its sequence. */
export interface StateValue {
  readonly shape: readonly number[];
  /** Packed elements. */
  readonly bytes: Uint8Array;
}

interface Slot {
  readonly input: TensorSpec;
  readonly shape: readonly number[];
  readonly outputIndex: number;
}

export class StateLayout {
  /** What callers send and get. */
  readonly visible: ModelSignature;
  readonly #run: ModelSignature;
  readonly #slots: readonly Slot[];
  /** Positions of the visible outputs in a run. */
  readonly #visibleOutputs: readonly number[];

  /** The store has checked that the names are there and fit. */
  constructor(run: ModelSignature, state: readonly StateTensor[]) {
    this.#run = run;
    this.#slots = state.map(({ input, output, shape }) => {
      const spec = run.inputs.find(({ name }) => name === input);
      const outputIndex = run.outputs.findIndex(({ name }) => name === output);
      if (spec === undefined || outputIndex < 0) throw new Error(`the model has no state ${input}=${output}`);
      return { input: spec, shape, outputIndex };
    });
    const [inputs, outputs] = [
      new Set(state.map(({ input }) => input)),
      new Set(state.map(({ output }) => output)),
    ];
    this.visible = {
      ...run,
      inputs: run.inputs.filter(({ name }) => !inputs.has(name)),
      outputs: run.outputs.filter(({ name }) => !outputs.has(name)),
    };
    this.#visibleOutputs = run.outputs.flatMap(({ name }, index) => (outputs.has(name) ? [] : [index]));
  }

  /** What is remembered, as the model takes it. */
  get tensors(): readonly StateConfiguration[] {
    return this.#slots.map(({ input, outputIndex }) => {
      const { name, datatype, shape } = input;
      return { input: name, output: this.#run.outputs[outputIndex]?.name ?? '', datatype, shape };
    });
  }

  /** Zeros. `firstSize` is that of the first input of the call. */
  initial(firstSize: number): readonly StateValue[] {
    return this.#slots.map(({ input, shape }) => {
      const sizes = shape.map((size) => (size < 0 ? firstSize : size));
      return { shape: sizes, bytes: new Uint8Array(elementCount(sizes) * elementBytes(input.datatype)) };
    });
  }

  /** Whether a call fits the state: one that counts the rows of the call cannot follow another number of them. */
  fits(values: readonly StateValue[], firstSize: number): boolean {
    return this.#slots.every(({ shape }, index) => {
      return shape[0] !== -1 || values[index]?.shape[0] === firstSize;
    });
  }

  /** The request as the run takes it: with the state among its inputs and behind the outputs that are wanted. */
  withState(request: AdmittedRequest, values: readonly StateValue[]): AdmittedRequest {
    const { rows, bytes, inputs, outputIndexes } = request;
    let next = 0;
    const all = this.#run.inputs.flatMap((spec): readonly InputTensor[] => {
      const slot = this.#slots.findIndex(({ input }) => input === spec);
      const value = values[slot];
      if (value !== undefined) {
        const source = { kind: 'packed', bytes: value.bytes } as const;
        return [{ name: spec.name, datatype: spec.datatype, shape: value.shape, source }];
      }
      const sent = inputs[next++];
      return sent === undefined ? [] : [sent];
    });
    const wanted = outputIndexes?.map((index) => this.#visibleOutputs[index] ?? 0) ?? this.#visibleOutputs;
    const outputs = [...wanted, ...this.#slots.map(({ outputIndex }) => outputIndex)];
    const isNatural =
      outputs.length === this.#run.outputs.length && outputs.every((output, index) => output === index);
    // The state is none of the caller's bytes: what sequences hold has a limit of its own.
    return { rows, bytes, inputs: all, outputIndexes: isNatural ? undefined : outputs };
  }

  /** The answer without the state. */
  visibleReply(reply: InferReply): InferReply {
    return { ...reply, columns: reply.columns.slice(0, reply.columns.length - this.#slots.length) };
  }

  /** A copy of the state that a run gave this request; undefined when the model could not take it back. */
  stateOf(reply: InferReply): readonly StateValue[] | undefined {
    const columns = reply.columns.slice(reply.columns.length - this.#slots.length);
    const values: StateValue[] = [];
    for (const [index, { input }] of this.#slots.entries()) {
      const value = valueOf(columns[index], reply);
      if (value === undefined || !isTaken(value.shape, input.shape)) return undefined;
      values.push(value);
    }
    return values;
  }
}

function valueOf(
  column: OutputColumn | undefined,
  { batched, rowStart, rows }: InferReply,
): StateValue | undefined {
  if (column === undefined || !isNumericColumn(column.data)) return undefined;
  const { data, rowShape, rowElements } = column;
  const own = batched ? data.subarray(rowStart * rowElements, (rowStart + rows) * rowElements) : data;
  const bytes = new Uint8Array(own.byteLength);
  bytes.set(new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
  return { shape: batched ? [rows, ...rowShape] : rowShape, bytes };
}

function isTaken(shape: readonly number[], spec: readonly number[]): boolean {
  return (
    shape.length === spec.length && shape.every((size, axis) => (spec[axis] ?? -1) < 0 || spec[axis] === size)
  );
}

/** What a sequence holds with them. */
export function stateBytes(values: readonly StateValue[] | undefined): number {
  return values?.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) ?? 0;
}
