/**
 * Requests and answers in the protocol's JSON form, which every Open Inference Protocol server speaks.
 * Whole numbers are exact over 64 bits in both directions; NaN and the infinities, which JSON does not have, travel as
 * the texts "NaN", "Infinity" and "-Infinity"; FP16 travels as numbers.
 */
import { InferResult } from '../infer-result.ts';
import { TidegateError } from '../tidegate-error.ts';
import { isDatatype } from '../tensor/datatype.ts';
import { elementCount, type NamedTensor } from '../tensor/tensor.ts';
import { numbersOf, textsOf } from '../tensor/tensor-values.ts';
import { type OutputHead, tensorOfValues } from './msgpack-message.ts';
import { type RequestFields, scheduledParameters } from './request-fields.ts';

export type JsonFields = Readonly<Record<string, unknown>>;

/** Throws INVALID_ARGUMENT for BYTES that are no text: JSON cannot carry them. */
export function encodeJsonBody(fields: RequestFields): string {
  const inputs = fields.inputs.map((input) => {
    const { name, shape, datatype } = input;
    const head = `"name":${JSON.stringify(name)},"shape":[${shape.join()}],"datatype":"${datatype}"`;
    return `{${head},"data":[${elementTexts(input).join()}]}`;
  });
  const parameters = scheduledParameters(fields);
  const parts = [
    `"inputs":[${inputs.join()}]`,
    ...(fields.outputs.length === 0
      ? []
      : [`"outputs":${JSON.stringify(fields.outputs.map((name) => ({ name })))}`]),
    ...(Object.keys(parameters).length === 0 ? [] : [`"parameters":${JSON.stringify(parameters)}`]),
  ];
  return `{${parts.join()}}`;
}

/**
 * Reads one JSON object. Whole numbers that a JavaScript number cannot hold come as text.
 * Throws INVALID_RESPONSE.
 */
export function parseJsonObject(text: string): JsonFields {
  let value: unknown;
  try {
    value = JSON.parse(/\d{16}/.test(text) ? longIntegersQuoted(text) : text);
  } catch (cause) {
    throw new TidegateError('INVALID_RESPONSE', 'The answer is not JSON.', { cause });
  }
  return jsonFields(value, 'The answer');
}

/** `fromBinary` supplies outputs whose data is not in the JSON; see binary-body.ts. Throws INVALID_RESPONSE. */
export function resultOfJson(
  message: JsonFields,
  fromBinary: (head: OutputHead, sizeBytes: number) => NamedTensor,
): InferResult {
  const { outputs } = message;
  if (!Array.isArray(outputs)) throw invalid('The answer has no outputs.');
  return new InferResult({
    model: text(message['model_name']),
    version: text(message['model_version']),
    outputs: outputs.map((output: unknown) => {
      const fields = jsonFields(output, 'An output of the answer');
      const head = headOf(fields);
      const parameters = fields['parameters'];
      const size =
        parameters === undefined ? undefined : jsonFields(parameters, 'parameters')['binary_data_size'];
      if (size !== undefined) {
        if (Number.isSafeInteger(size) && Number(size) >= 0) return fromBinary(head, Number(size));
        throw invalid(`The output ${head.name} has no binary_data_size that can be read.`);
      }
      return listedTensor(head, fields['data']);
    }),
  });
}

function headOf({ name, datatype, shape }: JsonFields): OutputHead {
  if (
    typeof name === 'string' &&
    isDatatype(datatype) &&
    Array.isArray(shape) &&
    shape.every((size: unknown) => Number.isSafeInteger(size) && Number(size) >= 0)
  ) {
    return { name, datatype, shape: shape as number[] };
  }
  throw invalid('An output of the answer has no name, datatype or shape that can be read.');
}

function listedTensor(head: OutputHead, data: unknown): NamedTensor {
  const { name, datatype, shape } = head;
  const elements: unknown = Array.isArray(data) ? data.flat(Infinity) : undefined;
  if (!Array.isArray(elements) || elements.length !== elementCount(shape)) {
    throw invalid(`The output ${name} has no data of its shape.`);
  }
  const values = elements.map((value: unknown) => elementOf(datatype, value));
  return tensorOfValues(head, values);
}

const notNumbers: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity };

/** A JSON value as `tensor` takes it; one that does not fit is passed on for `tensor` to refuse. */
function elementOf(datatype: OutputHead['datatype'], value: unknown): unknown {
  if (datatype === 'BYTES' || typeof value !== 'string') return value;
  if (datatype === 'INT64' || datatype === 'UINT64') return /^-?\d+$/.test(value) ? BigInt(value) : value;
  return notNumbers[value] ?? (/^-?\d+$/.test(value) ? Number(value) : value);
}

function elementTexts(input: NamedTensor): readonly string[] {
  switch (input.datatype) {
    case 'BYTES':
      return jsonTexts(input).map((element) => JSON.stringify(element));
    case 'BOOL':
      return Array.from(input.data, (element) => (element === 0 ? 'false' : 'true'));
    case 'INT64':
    case 'UINT64':
      return Array.from<bigint, string>(input.data, (element) => element.toString());
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'FP16':
    case 'FP32':
    case 'FP64':
      return numbersOf(input).map(numberText);
  }
}

function jsonTexts(input: NamedTensor<'BYTES'>): readonly string[] {
  if (input.data.every((element) => typeof element === 'string')) return textsOf(input);
  throw new TidegateError('INVALID_ARGUMENT', `Input ${input.name}: JSON carries text only; use binary.`);
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value);
}

/** `12345678901234567890` outside texts becomes `"12345678901234567890"`, which JSON.parse keeps whole. */
function longIntegersQuoted(json: string): string {
  const parts: string[] = [];
  let copied = 0;
  let offset = 0;
  while (offset < json.length) {
    const code = json.charCodeAt(offset);
    if (code === quoteCode) {
      offset = endOfText(json, offset);
    } else if (code === minusCode || isDigit(code)) {
      const end = endOfNumber(json, offset);
      const number = json.slice(offset, end);
      if (/^-?\d{16,}$/.test(number) && !Number.isSafeInteger(Number(number))) {
        parts.push(json.slice(copied, offset), '"', number, '"');
        copied = end;
      }
      offset = end;
    } else {
      offset += 1;
    }
  }
  parts.push(json.slice(copied));
  return parts.join('');
}

const quoteCode = 0x22;
const backslashCode = 0x5c;
const minusCode = 0x2d;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfText(json: string, start: number): number {
  let offset = start + 1;
  while (offset < json.length) {
    const code = json.charCodeAt(offset);
    if (code === quoteCode) return offset + 1;
    offset += code === backslashCode ? 2 : 1;
  }
  return json.length;
}

/** Digits, sign, point and exponent; whether they are in order is for JSON.parse to say. */
function endOfNumber(json: string, start: number): number {
  let offset = start;
  while (offset < json.length && '+-.eE0123456789'.includes(json.charAt(offset))) offset += 1;
  return offset;
}

export function jsonFields(value: unknown, what: string): JsonFields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonFields;
  throw invalid(`${what} is no JSON object.`);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_RESPONSE', message);
}
