/**
 * The Open Inference Protocol v2 in plain JSON: an infer request from bytes. The binary tensor extension is another
 * format. Requests are read in one pass that leaves the tensor data where it is.
 * Invariant: a decoded request has every required field, and its body was well-formed JSON to the last byte.
 * Source: open-inference-protocol, specification/protocol/inference_rest.md, "Inference".
 */
import { datatypes, type Datatype } from '../../runtime/tensor/dtype.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferRequest, InputTensor } from './infer-request.ts';
import { JsonScanner } from './json-scanner.ts';
import { openBracket } from './json-token.ts';
import { quoted } from './strict-text.ts';
import { WordTable } from './word-table.ts';

/** Inputs or outputs one request may list: many times what any model has, few enough to compare pairwise. */
const tensorsMax = 256;
/** Dimensions of one tensor. */
const rankMax = 16;

/**
 * Decodes an infer request. The tensors point into `body` and live only as long as it does.
 * Unknown keys are skipped. Optional fields (`id`, `outputs`, `parameters`) may be null, as clients with typed models
 * send them; an empty `outputs` asks for all. Codes: EMPTY_BODY, MALFORMED_JSON, INVALID_REQUEST.
 */
export function decodeOipJson(body: Uint8Array): Result<InferRequest> {
  if (body.length === 0) {
    return fail('EMPTY_BODY', 'The body is empty; send an inference request with "inputs".');
  }
  const scanner = new JsonScanner(body);
  const request = readRequest(scanner);
  if (!request.ok) return request;
  scanner.finish();
  return scanner.fault ?? request;
}

const requestKeys = new WordTable(['inputs', 'outputs', 'id', 'parameters']);
const inputKeys = new WordTable(['name', 'shape', 'datatype', 'data', 'parameters']);
const outputKeys = new WordTable(['name', 'parameters']);
const datatypeNames = new WordTable(datatypes);
const binaryKeys = new WordTable(['binary_data_size', 'binary_data', 'binary_data_output']);

type RequestKey = (typeof requestKeys.words)[number] | '';
type InputKey = (typeof inputKeys.words)[number] | '';

/** Fields of the request so far: undefined until their key came, null if it came with null. */
interface RequestDraft {
  id: string | null | undefined;
  inputs: readonly InputTensor[] | undefined;
  outputs: readonly string[] | null | undefined;
  parameters: true | undefined;
}

function readRequest(scanner: JsonScanner): Result<InferRequest> {
  if (!scanner.enterObject()) return scanner.refuse('The body', 'a JSON object');
  const draft: RequestDraft = { id: undefined, inputs: undefined, outputs: undefined, parameters: undefined };
  for (let key = scanner.nextKey(requestKeys); key !== undefined; key = scanner.nextKey(requestKeys)) {
    const problem = readRequestField(scanner, key, draft);
    if (problem !== undefined) return problem;
  }
  if (scanner.fault !== undefined) return scanner.fault;
  const { id, inputs, outputs } = draft;
  if (inputs === undefined) return missing('inputs');
  return succeed({ id: id ?? undefined, inputs, outputs: outputs ?? undefined });
}

function readRequestField(scanner: JsonScanner, key: RequestKey, draft: RequestDraft): WireError | undefined {
  switch (key) {
    case 'id':
      if (draft.id !== undefined) return twice('id');
      draft.id = scanner.skipNull() ? null : scanner.readString();
      return draft.id === undefined ? scanner.refuse('id', 'a string') : undefined;
    case 'inputs': {
      if (draft.inputs !== undefined) return twice('inputs');
      const inputs = readInputs(scanner);
      if (!inputs.ok) return inputs;
      draft.inputs = inputs.value;
      return undefined;
    }
    case 'outputs': {
      if (draft.outputs !== undefined) return twice('outputs');
      const outputs = scanner.skipNull() ? succeed(null) : readOutputs(scanner);
      if (!outputs.ok) return outputs;
      draft.outputs = outputs.value;
      return undefined;
    }
    case 'parameters':
      if (draft.parameters !== undefined) return twice('parameters');
      draft.parameters = true;
      return skipParameters(scanner, 'parameters');
    case '':
      scanner.skipValue();
      return undefined;
  }
}

function readInputs(scanner: JsonScanner): Result<readonly InputTensor[]> {
  if (!scanner.enterArray()) return scanner.refuse('inputs', 'an array');
  const inputs: InputTensor[] = [];
  while (scanner.nextElement()) {
    const index = inputs.length;
    if (index === tensorsMax) return tooMany('inputs');
    const input = readInput(scanner, index);
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
}

function readInput(scanner: JsonScanner, index: number): Result<InputTensor> {
  if (!scanner.enterObject()) return scanner.refuse(`inputs[${index}]`, 'an object');
  const draft: InputDraft = {
    index,
    name: undefined,
    datatype: undefined,
    shape: undefined,
    dataStart: -1,
    dataEnd: -1,
    parameters: undefined,
  };
  for (let key = scanner.nextKey(inputKeys); key !== undefined; key = scanner.nextKey(inputKeys)) {
    const problem = readInputField(scanner, key, draft);
    if (problem !== undefined) return problem;
  }
  if (scanner.fault !== undefined) return scanner.fault;
  const { name, datatype, shape, dataStart: start, dataEnd: end } = draft;
  if (name === undefined) return missing(`inputs[${index}].name`);
  if (shape === undefined) return missing(`inputs[${index}].shape`);
  if (datatype === undefined) return missing(`inputs[${index}].datatype`);
  if (start === -1) return missing(`inputs[${index}].data`);
  const source = { kind: 'json', text: scanner.text, start, end } as const;
  return succeed({ name, datatype, shape, source });
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
      return skipParameters(scanner, `inputs[${index}].parameters`);
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
        `inputs[${index}].shape has more than ${rankMax} dimensions or stands for more elements than can be counted.`,
      );
    }
    shape.push(size === 0 ? 0 : size);
  }
  return scanner.fault ?? succeed(shape);
}

/** Names of the outputs wanted; null if the list is empty. */
function readOutputs(scanner: JsonScanner): Result<readonly string[] | null> {
  if (!scanner.enterArray()) return scanner.refuse('outputs', 'an array');
  const names: string[] = [];
  while (scanner.nextElement()) {
    if (names.length === tensorsMax) return tooMany('outputs');
    const name = readOutputName(scanner, names.length);
    if (!name.ok) return name;
    names.push(name.value);
  }
  return scanner.fault ?? succeed(names.length === 0 ? null : names);
}

function readOutputName(scanner: JsonScanner, index: number): Result<string> {
  if (!scanner.enterObject()) return scanner.refuse(`outputs[${index}]`, 'an object with a "name"');
  let name: string | undefined;
  for (let key = scanner.nextKey(outputKeys); key !== undefined; key = scanner.nextKey(outputKeys)) {
    if (key === 'name') {
      if (name !== undefined) return twice(`outputs[${index}].name`);
      name = scanner.readName();
      if (name === undefined) return scanner.refuse(`outputs[${index}].name`, 'a string');
    } else if (key === 'parameters') {
      const problem = skipParameters(scanner, `outputs[${index}].parameters`);
      if (problem !== undefined) return problem;
    } else {
      scanner.skipValue();
    }
  }
  if (scanner.fault !== undefined) return scanner.fault;
  return name === undefined ? missing(`outputs[${index}].name`) : succeed(name);
}

/** Parameters have no effect here, but a request for binary data must not be answered as if it had not asked. */
function skipParameters(scanner: JsonScanner, where: string): WireError | undefined {
  if (scanner.skipNull()) return undefined;
  if (!scanner.enterObject()) return scanner.refuse(where, 'an object');
  for (let key = scanner.nextKey(binaryKeys); key !== undefined; key = scanner.nextKey(binaryKeys)) {
    if (key === 'binary_data_size' || (key !== '' && scanner.peek() === firstOfTrue)) {
      return fail(
        'INVALID_REQUEST',
        `${where}.${key} belongs to the binary tensor extension, whose requests carry the header ` +
          'Inference-Header-Content-Length; this version does not read them. Send "data" as JSON.',
      );
    }
    scanner.skipValue();
  }
  return undefined;
}

const firstOfTrue = 0x74;

function missing(where: string): WireError {
  return fail('INVALID_REQUEST', `${where} is missing.`);
}

function twice(where: string): WireError {
  return fail('INVALID_REQUEST', `${where} is there twice.`);
}

function tooMany(list: string): WireError {
  return fail('INVALID_REQUEST', `${list} has more than ${tensorsMax} elements.`);
}
