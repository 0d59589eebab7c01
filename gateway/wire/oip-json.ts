/**
 * The Open Inference Protocol v2 in JSON: an infer request from bytes. With the binary tensor data extension the same
 * JSON has tensors behind it. Requests are read in one pass that leaves the tensor data where it is.
 * Invariant: a decoded request has every required field, and its body was well-formed JSON to the last byte.
 * Source: open-inference-protocol, specification/protocol/inference_rest.md, "Inference".
 */
import type { BodyKey } from './body-key.ts';
import { fail, succeed, type Result, type WireError } from './error-code.ts';
import type { InferRequest, InputTensor } from './infer-request.ts';
import { JsonScanner } from './json-scanner.ts';
import { type BinarySection, missing, readInputs, tensorsMax, tooMany, twice } from './oip-json-inputs.ts';
import { readOutputParameters, readRequestParameters } from './oip-json-parameters.ts';
import { OptionsDraft } from './request-options.ts';
import { WordTable } from './word-table.ts';

/**
 * Decodes an infer request. The tensors point into `body` and live only as long as it does.
 * Unknown keys are skipped. Optional fields (`id`, `outputs`, `parameters`) may be null, as clients with typed models
 * send them; an empty `outputs` asks for all. `key` is shown the parameters. Codes: EMPTY_BODY, MALFORMED_JSON,
 * INVALID_REQUEST.
 */
export function decodeOipJson(body: Uint8Array, key?: BodyKey): Result<InferRequest> {
  if (body.length === 0) {
    return fail('EMPTY_BODY', 'The body is empty; send an inference request with "inputs".');
  }
  return readBody(new JsonScanner(body), { section: undefined, key });
}

/**
 * Decodes an infer request whose JSON is the first `jsonBytes` (at least 1) of the body, with the binary inputs behind
 * it. Codes: also BINARY_SIZE_MISMATCH.
 */
export function decodeOipMixed(body: Uint8Array, jsonBytes: number): Result<InferRequest> {
  const section = { body, at: jsonBytes };
  const request = readBody(new JsonScanner(body, 0, jsonBytes), { section, key: undefined });
  const left = body.length - section.at;
  if (!request.ok || left === 0) return request;
  return fail(
    'BINARY_SIZE_MISMATCH',
    `unexpected additional input data: ${left} bytes follow the inputs in the body.`,
  );
}

/** What a body has to do with besides its JSON. */
interface Surroundings {
  /** The tensors behind it. */
  readonly section: BinarySection | undefined;
  /** Who looks for the key of a rollout in it. */
  readonly key?: BodyKey | undefined;
}

function readBody(scanner: JsonScanner, around: Surroundings): Result<InferRequest> {
  const request = readRequest(scanner, around);
  if (!request.ok) return request;
  scanner.finish();
  return scanner.fault ?? request;
}

const requestKeys = new WordTable(['inputs', 'outputs', 'id', 'parameters']);
const outputKeys = new WordTable(['name', 'parameters']);

type RequestKey = 'inputs' | 'outputs' | 'id' | 'parameters' | '';

/** Fields of the request so far: undefined until their key came, null if it came with null. */
export interface RequestDraft {
  id: string | null | undefined;
  inputs: readonly InputTensor[] | undefined;
  outputs: readonly string[] | null | undefined;
  parameters: true | undefined;
  /** Undefined until something has parameters. */
  options: OptionsDraft | undefined;
}

function readRequest(scanner: JsonScanner, around: Surroundings): Result<InferRequest> {
  if (!scanner.enterObject()) return scanner.refuse('The body', 'a JSON object');
  const draft: RequestDraft = {
    id: undefined,
    inputs: undefined,
    outputs: undefined,
    parameters: undefined,
    options: undefined,
  };
  const context = { ...around, draft };
  for (let key = scanner.nextKey(requestKeys); key !== undefined; key = scanner.nextKey(requestKeys)) {
    const problem = readRequestField(scanner, key, context);
    if (problem !== undefined) return problem;
  }
  if (scanner.fault !== undefined) return scanner.fault;
  const { id, inputs, outputs } = draft;
  if (inputs === undefined) return missing('inputs');
  const options = draft.options?.finish(outputs?.length ?? 0);
  return succeed({ id: id ?? undefined, inputs, outputs: outputs ?? undefined, options });
}

/** The value of one of `inputs`, `outputs`, `id` and `parameters`, into the draft. Any other is stepped over. */
export function readRequestField(
  scanner: JsonScanner,
  key: RequestKey,
  { draft, section, key: bodyKey }: Surroundings & { readonly draft: RequestDraft },
): WireError | undefined {
  switch (key) {
    case 'id':
      if (draft.id !== undefined) return twice('id');
      draft.id = scanner.skipNull() ? null : scanner.readString();
      return draft.id === undefined ? scanner.refuse('id', 'a string') : undefined;
    case 'inputs': {
      if (draft.inputs !== undefined) return twice('inputs');
      const inputs = readInputs(scanner, section);
      if (!inputs.ok) return inputs;
      draft.inputs = inputs.value;
      return undefined;
    }
    case 'outputs': {
      if (draft.outputs !== undefined) return twice('outputs');
      const outputs = scanner.skipNull() ? succeed(null) : readOutputs(scanner, draft);
      if (!outputs.ok) return outputs;
      draft.outputs = outputs.value;
      return undefined;
    }
    case 'parameters':
      if (draft.parameters !== undefined) return twice('parameters');
      draft.parameters = true;
      return readRequestParameters(scanner, (draft.options ??= new OptionsDraft()), bodyKey);
    case '':
      scanner.skipValue();
      return undefined;
  }
}

/** Names of the outputs wanted; null if the list is empty. */
function readOutputs(scanner: JsonScanner, draft: RequestDraft): Result<readonly string[] | null> {
  if (!scanner.enterArray()) return scanner.refuse('outputs', 'an array');
  const names: string[] = [];
  while (scanner.nextElement()) {
    if (names.length === tensorsMax) return tooMany('outputs');
    const name = readOutput(scanner, names.length, draft);
    if (!name.ok) return name;
    names.push(name.value);
  }
  return scanner.fault ?? succeed(names.length === 0 ? null : names);
}

function readOutput(scanner: JsonScanner, index: number, draft: RequestDraft): Result<string> {
  if (!scanner.enterObject()) return scanner.refuse(`outputs[${index}]`, 'an object with a "name"');
  let name: string | undefined;
  for (let key = scanner.nextKey(outputKeys); key !== undefined; key = scanner.nextKey(outputKeys)) {
    if (key === 'name') {
      if (name !== undefined) return twice(`outputs[${index}].name`);
      name = scanner.readName();
      if (name === undefined) return scanner.refuse(`outputs[${index}].name`, 'a string');
    } else if (key === 'parameters') {
      const form = { binary: undefined, classes: 0 };
      const problem = readOutputParameters(scanner, `outputs[${index}].parameters`, form);
      if (problem !== undefined) return problem;
      draft.options ??= new OptionsDraft();
      draft.options.output(index, form);
    } else {
      scanner.skipValue();
    }
  }
  if (scanner.fault !== undefined) return scanner.fault;
  return name === undefined ? missing(`outputs[${index}].name`) : succeed(name);
}
