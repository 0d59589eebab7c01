/**
 * What the `parameters` of a request mean, whichever format they came in: the reserved names of the Open Inference
 * Protocol and its extensions (binary tensor data, schedule policy, classification, sequence). Reading values off the
 * wire is the formats' business; what the options do is that of the dispatcher and of the encoders.
 *
 * A parameter that nobody here knows is ignored, as a server does whose models take none. One that asks for something
 * which is not done here is refused: an answer without it would be wrong and look right.
 */
import { fail, type WireError } from './error-code.ts';
import type { OutputForm, RequestOptions, SequenceWish } from './infer-request.ts';
import { quoted } from './strict-text.ts';

export type ParameterValue = string | number | boolean;

/** Longest time that a request may give itself; what is beyond is as good as for ever. */
export const dueWithinMsMax = 3_600_000;

/** Longest id of a sequence; it is kept as long as the sequence is open. */
const sequenceIdLengthMax = 256;

const noSequence: SequenceWish = { id: undefined, start: false, end: false };

const plain: OutputForm = { binary: false, classes: 0 };
const binary: OutputForm = { binary: true, classes: 0 };

/** What the parameters of one output say. */
export interface OutputDraft {
  binary: boolean | undefined;
  classes: number;
}

/** Collects what the parameters of a request say, in any order. Each method answers with what is wrong, if anything. */
export class OptionsDraft {
  #dueWithinMs: number | undefined;
  #priority = 0;
  #binaryByDefault = false;
  #outputs: (OutputDraft | undefined)[] | undefined;
  #sequence: SequenceWish | undefined;

  /** A parameter of the request itself. */
  take(name: string, value: ParameterValue): WireError | undefined {
    switch (name) {
      case 'timeout':
        if (!isCount(value)) return wrongKind(name, 'a whole number of microseconds');
        // 0 is no limit, as where it comes from.
        if (value > 0) this.dueWithin(value / 1000);
        return undefined;
      case 'priority':
        if (!isCount(value)) return wrongKind(name, 'a whole number from 0 up');
        this.#priority = value;
        return undefined;
      case 'binary_data_output':
        if (typeof value !== 'boolean') return wrongKind(name, 'true or false');
        this.#binaryByDefault = value;
        return undefined;
      case 'sequence_id':
        return this.#takeSequenceId(value);
      case 'sequence_start':
        if (typeof value !== 'boolean') return wrongKind(name, 'true or false');
        if (value) this.#sequence = { ...(this.#sequence ?? noSequence), start: true };
        return undefined;
      case 'sequence_end':
        if (typeof value !== 'boolean') return wrongKind(name, 'true or false');
        if (value) this.#sequence = { ...(this.#sequence ?? noSequence), end: true };
        return undefined;
      default:
        return name.startsWith('triton_') ? reserved(name) : undefined;
    }
  }

  #takeSequenceId(value: ParameterValue): WireError | undefined {
    const fits = typeof value === 'string' ? value.length <= sequenceIdLengthMax : isCount(value);
    if (!fits) {
      return wrongKind(
        'sequence_id',
        `a whole number or a text of at most ${sequenceIdLengthMax} characters`,
      );
    }
    // What says that the request belongs to no sequence is no wish.
    if (value !== 0 && value !== '')
      this.#sequence = { ...(this.#sequence ?? noSequence), id: String(value) };
    return undefined;
  }

  /** The request must be answered within this time; the shortest one counts. */
  dueWithin(ms: number): void {
    this.#dueWithinMs = Math.min(this.#dueWithinMs ?? dueWithinMsMax, ms);
  }

  set priority(value: number) {
    this.#priority = value;
  }

  /** What the output at `index` of those asked for is wanted as. */
  output(index: number, draft: OutputDraft): void {
    this.#outputs ??= [];
    this.#outputs[index] = draft;
  }

  /** The options of a request that asks for `outputs` outputs by name; undefined when nothing was asked for. */
  finish(outputs: number): RequestOptions | undefined {
    const defaultForm = this.#binaryByDefault ? binary : plain;
    let outputForms: OutputForm[] | undefined;
    if (this.#outputs?.some((draft) => isSpecial(draft, this.#binaryByDefault)) === true) {
      outputForms = Array.from({ length: outputs }, (_, index) => {
        const draft = this.#outputs?.[index];
        return draft === undefined
          ? defaultForm
          : { binary: draft.binary ?? this.#binaryByDefault, classes: draft.classes };
      });
    }
    const dueWithinMs = this.#dueWithinMs;
    const priority = this.#priority;
    const sequence = this.#sequence;
    if (
      dueWithinMs === undefined &&
      priority === 0 &&
      sequence === undefined &&
      outputForms === undefined &&
      !this.#binaryByDefault
    ) {
      return undefined;
    }
    return { dueWithinMs, priority, outputForms, defaultForm, sequence };
  }
}

/** A parameter of one output. `where` names the output in messages. */
export function takeOutputParameter(
  draft: OutputDraft,
  { name, value, where }: { readonly name: string; readonly value: ParameterValue; readonly where: string },
): WireError | undefined {
  switch (name) {
    case 'binary_data':
      if (typeof value !== 'boolean') return wrongKind(`${where}.binary_data`, 'true or false');
      draft.binary = value;
      return undefined;
    case 'classification':
      if (!isCount(value)) return wrongKind(`${where}.classification`, 'a whole number from 0 up');
      draft.classes = value;
      return undefined;
    default:
      return isSharedMemory(name) ? sharedMemoryUnsupported(`${where}.${name}`) : undefined;
  }
}

/** How the output at `index` is wanted. */
export function formOf(options: RequestOptions, index: number): OutputForm {
  return options.outputForms?.[index] ?? options.defaultForm;
}

export function isSharedMemory(name: string): boolean {
  return name.startsWith('shared_memory_');
}

export function sharedMemoryUnsupported(where: string): WireError {
  return fail(
    'UNSUPPORTED_PARAMETER',
    `${where}: tensors in shared memory are not read here. Send them in the body.`,
  );
}

export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

export function wrongKind(where: string, wanted: string): WireError {
  return fail('INVALID_REQUEST', `The parameter ${where} must be ${wanted}.`);
}

function isSpecial(draft: OutputDraft | undefined, binaryByDefault: boolean): boolean {
  if (draft === undefined) return false;
  return draft.classes > 0 || (draft.binary ?? binaryByDefault) !== binaryByDefault;
}

function reserved(name: string): WireError {
  return fail(
    'UNSUPPORTED_PARAMETER',
    `The parameter ${quoted(name)}: names that start with "triton_" are reserved and should not be specified.`,
  );
}
