/**
 * Compares a decoded request with what the model takes, before anything is queued: one request that does not fit must
 * never reach the batch of its neighbours. It looks at names, datatypes and shapes; elements are checked when they are
 * written into their slot.
 * Invariant: an admitted request has every input of the model once, in the model's order, and all with the same rows.
 */
import { elementBytes } from '../../runtime/tensor/dtype.ts';
import type { ModelSignature, TensorSpec } from '../../runtime/tensor/signature.ts';
import { elementCount } from '../../runtime/tensor/signature.ts';
import { fail, type Result, type WireError } from '../wire/error-code.ts';
import { isClassifiable } from '../wire/classification.ts';
import type { InferRequest, InputTensor, RequestOptions } from '../wire/infer-request.ts';
import { formOf } from '../wire/request-options.ts';
import { quoted } from '../wire/strict-text.ts';
import type { Limits } from './limits.ts';

/**
 * Sizes of WebAssembly have 32 bits: onnxruntime fails on a larger dimension or takes it modulo 2^32 and answers with
 * another shape than it was asked. Beside a dimension of 0 such a one costs no bytes, so no other limit meets it.
 */
const dimensionMax = 2 ** 31 - 1;

export interface AdmittedRequest {
  /** Size of the batch dimension of every input; 1 for a model that runs every request alone. */
  readonly rows: number;
  /** Of all inputs once they are packed. */
  readonly bytes: number;
  /** In the order of the signature. */
  readonly inputs: readonly InputTensor[];
  /** Positions in the signature of the outputs wanted, in the order wanted; undefined means all, as they stand. */
  readonly outputIndexes: readonly number[] | undefined;
}

/**
 * Checks a request against a model and the limits. The inputs alias those of the request.
 *
 * A batched model takes one row or more: zero rows are refused, not answered with empty outputs, because a client
 * that sends them has most often lost its data on the way. Any other dimension that the model leaves open may be 0.
 *
 * Codes: MISSING_INPUT, UNKNOWN_INPUT, INVALID_REQUEST (an input or output named twice, an output
 * to classify that cannot be), DATATYPE_MISMATCH,
 * SHAPE_MISMATCH, TOO_MANY_ROWS, BODY_TOO_LARGE (the packed inputs exceed `requestBytesMax`, even where a compact
 * form did fit the body), UNKNOWN_OUTPUT.
 */
export function checkRequest(
  request: InferRequest,
  signature: ModelSignature,
  limits: Pick<Limits, 'requestRowsMax' | 'requestBytesMax'>,
): Result<AdmittedRequest> {
  const inputs = inModelOrder(request.inputs, signature.inputs);
  if (inputs === undefined) return explainNames(request.inputs, signature.inputs);

  const batched = signature.batching === 'rows';
  const rows = batched ? (inputs[0]?.shape[0] ?? 1) : 1;
  let bytes = 0;
  for (let index = 0; index < inputs.length; index++) {
    const input = inputs[index];
    const spec = signature.inputs[index];
    if (input === undefined || spec === undefined) continue;
    if (input.datatype !== spec.datatype) return explainDatatype(input, spec);
    if (!fits(input.shape, spec.shape)) return explainShape(input, spec);
    if (batched && input.shape[0] !== rows) return explainRows(input, inputs[0]);
    bytes += packedBytes(input);
  }
  if (rows < 1) return explainZeroRows(inputs[0]);
  if (rows > limits.requestRowsMax) {
    return fail(
      'TOO_MANY_ROWS',
      `The request has ${rows} rows; one request may have ${limits.requestRowsMax}. Send several requests.`,
    );
  }
  if (rows > (signature.fixedRows ?? Infinity)) {
    return fail(
      'TOO_MANY_ROWS',
      `The request has ${rows} rows; a run of this model has ${signature.fixedRows ?? 0}. Send several requests.`,
    );
  }
  if (bytes > limits.requestBytesMax) {
    return fail(
      'BODY_TOO_LARGE',
      `The inputs take ${bytes} bytes; those of one request may take ${limits.requestBytesMax}.`,
    );
  }
  if (request.outputs === undefined || request.outputs.length === 0) {
    return { ok: true, value: { rows, bytes, inputs, outputIndexes: undefined } };
  }
  const wanted = findOutputs(request.outputs, signature.outputs, request.options);
  return wanted.ok ? { ok: true, value: { rows, bytes, inputs, outputIndexes: wanted.value } } : wanted;
}

/**
 * A string that is equal exactly for requests of one model that may share a run and its memory layout: the dimensions
 * that the model leaves open, the batch of a batched model excepted, and the outputs wanted in their order. '' when
 * there is nothing to tell them apart.
 */
export function batchKeyOf(signature: ModelSignature, request: AdmittedRequest): string {
  let key = '';
  const firstAxis = signature.batching === 'rows' ? 1 : 0;
  for (let index = 0; index < signature.inputs.length; index++) {
    const spec = signature.inputs[index]?.shape ?? [];
    // Ranks are equal once admitted and the model's open dimensions are the same for all, so sizes alone suffice.
    for (let axis = firstAxis; axis < spec.length; axis++) {
      if (spec[axis] === -1) key += `${request.inputs[index]?.shape[axis] ?? 0},`;
    }
  }
  return request.outputIndexes === undefined ? key : `${key}/${request.outputIndexes.join()}`;
}

/** The same array when the order is the model's already, which it mostly is; undefined when the names do not match. */
function inModelOrder(
  inputs: readonly InputTensor[],
  specs: readonly TensorSpec[],
): readonly InputTensor[] | undefined {
  if (inputs.length !== specs.length) return undefined;
  let index = 0;
  while (index < specs.length && inputs[index]?.name === specs[index]?.name) index++;
  if (index === specs.length) return inputs;
  const ordered: InputTensor[] = [];
  for (const spec of specs) {
    const input = inputs.find(({ name }) => name === spec.name);
    if (input === undefined) return undefined;
    ordered.push(input);
  }
  // As many inputs as specs and one for each: so none is twice and none is left over.
  return ordered;
}

function fits(shape: readonly number[], spec: readonly number[]): boolean {
  if (shape.length !== spec.length) return false;
  for (let axis = 0; axis < spec.length; axis++) {
    const size = shape[axis] ?? 0;
    if (spec[axis] === -1 ? size > dimensionMax : spec[axis] !== size) return false;
  }
  return true;
}

/** BYTES have no fixed size: what they take on the wire stands for what they take in memory. */
function packedBytes(input: InputTensor): number {
  const size = elementBytes(input.datatype);
  if (size > 0) return elementCount(input.shape) * size;
  switch (input.source.kind) {
    case 'packed':
      return input.source.bytes.byteLength;
    case 'json':
      return input.source.end - input.source.start;
    case 'values':
      return textBytes(input.source.values);
  }
}

/** UTF-16 units are close enough to bytes for a limit, and counting them reads no text. */
function textBytes(values: readonly unknown[]): number {
  let bytes = 0;
  for (const value of values) {
    if (typeof value === 'string') bytes += value.length;
    else if (Array.isArray(value)) bytes += textBytes(value);
    else if (value instanceof Uint8Array) bytes += value.byteLength;
  }
  return bytes;
}

function findOutputs(
  names: readonly string[],
  specs: readonly TensorSpec[],
  options: RequestOptions | undefined,
): Result<number[] | undefined> {
  const indexes: number[] = [];
  let natural = names.length === specs.length;
  for (const name of names) {
    const index = specs.findIndex((spec) => spec.name === name);
    if (index === -1) {
      return fail('UNKNOWN_OUTPUT', `The model has no output ${quoted(name)}; it has ${listed(specs)}.`);
    }
    if (indexes.includes(index))
      return fail('INVALID_REQUEST', `The output ${quoted(name)} is asked for twice.`);
    if (index !== indexes.length) natural = false;
    const datatype = specs[index]?.datatype ?? 'BYTES';
    if (options !== undefined && formOf(options, indexes.length).classes > 0 && !isClassifiable(datatype)) {
      return fail(
        'INVALID_REQUEST',
        `class result not available for output ${quoted(name)} due to unsupported type '${datatype}'.`,
      );
    }
    indexes.push(index);
  }
  // All of them as they stand is the same as not asking, and shares a batch with those who did not ask.
  return { ok: true, value: natural ? undefined : indexes };
}

function explainNames(inputs: readonly InputTensor[], specs: readonly TensorSpec[]): WireError {
  const seen = new Set<string>();
  for (const { name } of inputs) {
    if (!specs.some((spec) => spec.name === name)) {
      return fail('UNKNOWN_INPUT', `The model has no input ${quoted(name)}; it takes ${listed(specs)}.`);
    }
    if (seen.has(name)) return fail('INVALID_REQUEST', `The input ${quoted(name)} is sent twice.`);
    seen.add(name);
  }
  const missing = specs.filter((spec) => !seen.has(spec.name));
  return fail('MISSING_INPUT', `The request lacks ${listed(missing)}; the model takes ${listed(specs)}.`);
}

function explainDatatype(input: InputTensor, spec: TensorSpec): WireError {
  return fail(
    'DATATYPE_MISMATCH',
    `Input ${quoted(input.name)} is ${input.datatype}; the model takes ${spec.datatype}.`,
  );
}

function explainShape(input: InputTensor, spec: TensorSpec): WireError {
  const wanted = spec.shape.map((size) => (size === -1 ? 'any' : size)).join(', ');
  const most = input.shape.some((size) => size > dimensionMax) ? `, none larger than ${dimensionMax}` : '';
  return fail(
    'SHAPE_MISMATCH',
    `Input ${quoted(input.name)} has the shape [${shortened(input.shape)}]; the model takes [${wanted}]${most}.`,
  );
}

function explainRows(input: InputTensor, first: InputTensor | undefined): WireError {
  return fail(
    'SHAPE_MISMATCH',
    `Input ${quoted(input.name)} has ${input.shape[0] ?? 0} rows and ${quoted(first?.name ?? '')} has ` +
      `${first?.shape[0] ?? 0}; the first dimension must be the same in all inputs.`,
  );
}

function explainZeroRows(first: InputTensor | undefined): WireError {
  return fail(
    'SHAPE_MISMATCH',
    `The shape [${shortened(first?.shape ?? [])}] has no rows; the first dimension must be 1 or more.`,
  );
}

/** A shape that is wrong may also be absurdly long. */
function shortened(shape: readonly number[]): string {
  return shape.length <= 16
    ? shape.join(', ')
    : `${shape.slice(0, 16).join(', ')}, ... ${shape.length} dimensions`;
}

function listed(specs: readonly TensorSpec[]): string {
  return specs.length === 0 ? 'none' : specs.map((spec) => quoted(spec.name)).join(', ');
}
