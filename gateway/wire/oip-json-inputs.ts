/**
 * The inputs of an Open Inference Protocol request in JSON: what each says about itself, and where its elements are,
 * in the text or, with the binary tensor data extension, behind it. Elements are not read here.
 * Invariant: binary inputs lie behind the JSON in the order of the list, without gaps, and none reaches beyond the body.
 */
import { datatypes, type Datatype } from '../../runtime/tensor/dtype.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InputTensor, TensorSource } from './infer-request.ts';
import { openBracket } from './json-token.ts';
import type { JsonScanner } from './json-scanner.ts';
import { readInputParameters } from './oip-json-parameters.ts';
import { quoted } from './strict-text.ts';
import { WordTable } from './word-table.ts';

/** Inputs or outputs one request may list: many times what any model has, few enough to compare pairwise. */
export const tensorsMax = 256;
/** Dimensions of one tensor. */
const rankMax = 16;

const inputKeys = new WordTable(['name', 'shape', 'datatype', 'data', 'parameters']);
const datatypeNames = new WordTable(datatypes);

type InputKey = (typeof inputKeys.words)[number] | '';

/** The bytes behind the JSON, and how far they are taken. */
export interface BinarySection {
  readonly body: Uint8Array;
  at: number;
}

/** The list of inputs; `section` is undefined for a body that is JSON alone. */
export function readInputs(
  scanner: JsonScanner,
  section: BinarySection | undefined,
): Result<readonly InputTensor[]> {
  if (!scanner.enterArray()) return scanner.refuse('inputs', 'an array');
  const inputs: InputTensor[] = [];
  while (scanner.nextElement()) {
    const index = inputs.length;
    if (index === tensorsMax) return tooMany('inputs');
    const input = readInput(scanner, index, section);
    if (!input.ok) return input;
    const { name } = input.value;
    if (index > 0 && inputs.some((other) => other.name === name)) {
      return fail('INVALID_REQUEST', `inputs[${index}].name is ${quoted(name)}, as an input before it.`);
    }
    inputs.push(input.value);
  }
  return scanner.fault ?? succeed(inputs);
}

interface InputDraft {
  readonly index: number;
  name: string | undefined;
  datatype: Datatype | undefined;
  shape: readonly number[] | undefined;
  /** Where the data starts and ends in the body; -1 until its key came. */
  dataStart: number;
  dataEnd: number;
  parameters: true | undefined;
  /** -1 until it came. */
  binaryBytes: number;
}

function readInput(
  scanner: JsonScanner,
  index: number,
  section: BinarySection | undefined,
): Result<InputTensor> {
  if (!scanner.enterObject()) return scanner.refuse(`inputs[${index}]`, 'an object');
  const draft: InputDraft = {
    index,
    name: undefined,
    datatype: undefined,
    shape: undefined,
    dataStart: -1,
    dataEnd: -1,
    parameters: undefined,
    binaryBytes: -1,
  };
  for (let key = scanner.nextKey(inputKeys); key !== undefined; key = scanner.nextKey(inputKeys)) {
    const problem = readInputField(scanner, key, draft);
    if (problem !== undefined) return problem;
  }
  if (scanner.fault !== undefined) return scanner.fault;
  const { name, datatype, shape } = draft;
  if (name === undefined) return missing(`inputs[${index}].name`);
  if (shape === undefined) return missing(`inputs[${index}].shape`);
  if (datatype === undefined) return missing(`inputs[${index}].datatype`);
  const source = sourceOf(draft, scanner.text, section);
  return source.ok ? succeed({ name, datatype, shape, source: source.value }) : source;
}

/** Where the elements are: in the JSON, or in the bytes behind it. */
function sourceOf(
  { index, name, dataStart: start, dataEnd: end, binaryBytes }: InputDraft,
  text: Uint8Array,
  section: BinarySection | undefined,
): Result<TensorSource> {
  if (binaryBytes === -1) {
    return start === -1 ? missing(`inputs[${index}].data`) : succeed({ kind: 'json', text, start, end });
  }
  if (start !== -1) {
    return fail('INVALID_REQUEST', `inputs[${index}] has both data and binary_data_size; send one of them.`);
  }
  if (section === undefined) {
    return fail(
      'INVALID_REQUEST',
      `inputs[${index}] has a binary_data_size, but the request lacks the header Inference-Header-Content-Length, ` +
        'which says where its JSON ends.',
    );
  }
  const { body, at } = section;
  section.at += binaryBytes;
  if (section.at <= body.length) return succeed({ kind: 'packed', bytes: body.subarray(at, section.at) });
  return fail(
    'BINARY_SIZE_MISMATCH',
    `unexpected size for input ${quoted(name ?? '')}: its binary_data_size is ${binaryBytes}, and ` +
      `${body.length - at} bytes are left in the body; expecting ${section.at - body.length} additional bytes.`,
  );
}

function readInputField(scanner: JsonScanner, key: InputKey, draft: InputDraft): WireError | undefined {
  const { index } = draft;
  switch (key) {
    case 'name':
      if (draft.name !== undefined) return twice(`inputs[${index}].name`);
      draft.name = scanner.readName();
      return draft.name === undefined ? scanner.refuse(`inputs[${index}].name`, 'a string') : undefined;
    case 'datatype':
      if (draft.datatype !== undefined) return twice(`inputs[${index}].datatype`);
      draft.datatype = scanner.readKnown(datatypeNames);
      return draft.datatype === undefined
        ? scanner.refuse(`inputs[${index}].datatype`, `one of ${datatypes.join(', ')}`)
        : undefined;
    case 'shape': {
      if (draft.shape !== undefined) return twice(`inputs[${index}].shape`);
      const shape = readShape(scanner, index);
      if (!shape.ok) return shape;
      draft.shape = shape.value;
      return undefined;
    }
    case 'data': {
      if (draft.dataStart !== -1) return twice(`inputs[${index}].data`);
      if (scanner.peek() !== openBracket) return scanner.refuse(`inputs[${index}].data`, 'an array');
      draft.dataStart = scanner.at;
      scanner.skipValue();
      draft.dataEnd = scanner.at;
      return undefined;
    }
    case 'parameters':
      if (draft.parameters !== undefined) return twice(`inputs[${index}].parameters`);
      draft.parameters = true;
      return readInputParameters(scanner, `inputs[${index}].parameters`, (bytes) => {
        draft.binaryBytes = bytes;
      });
    case '':
      scanner.skipValue();
      return undefined;
  }
}

function readShape(scanner: JsonScanner, index: number): Result<readonly number[]> {
  if (!scanner.enterArray()) return scanner.refuse(`inputs[${index}].shape`, 'an array of whole numbers');
  const shape: number[] = [];
  let elements = 1;
  while (scanner.nextElement()) {
    const axis = shape.length;
    const size = scanner.readNumber();
    if (size === undefined) return scanner.refuse(`inputs[${index}].shape[${axis}]`, 'a whole number');
    if (!Number.isSafeInteger(size) || size < 0) {
      return fail('INVALID_REQUEST', `inputs[${index}].shape[${axis}] must be a whole number from 0 up.`);
    }
    elements *= size;
    if (axis === rankMax || !Number.isSafeInteger(elements)) {
      return fail(
        'INVALID_REQUEST',
        `inputs[${index}].shape has more than ${rankMax} dimensions or causes total element count to exceed maximum ` +
          `size of ${Number.MAX_SAFE_INTEGER}.`,
      );
    }
    shape.push(size === 0 ? 0 : size);
  }
  return scanner.fault ?? succeed(shape);
}

export function missing(where: string): WireError {
  return fail('INVALID_REQUEST', `${where} is missing.`);
}

export function twice(where: string): WireError {
  return fail('INVALID_REQUEST', `${where} is there twice.`);
}

export function tooMany(list: string): WireError {
  return fail('INVALID_REQUEST', `${list} has more than ${tensorsMax} elements.`);
}
