/**
 * Requests and answers as msgpack maps, which WebSocket frames and HTTP bodies share: tensors as `bin`, packed
 * little-endian. docs/protocol.md, "Open Inference Protocol, msgpack".
 */
import { cacheUseOf, InferResult } from '../infer-result.ts';
import type { ParameterValue } from '../infer-call.ts';
import { TidegateError } from '../tidegate-error.ts';
import { type Datatype, isDatatype, type NumericDatatype } from '../tensor/datatype.ts';
import { tensorOfPacked } from '../tensor/packed-data.ts';
import { elementCount, type NamedTensor, numericData } from '../tensor/tensor.ts';
import type { MsgpackMap, MsgpackValue } from './msgpack-reader.ts';
import { MsgpackWriter } from './msgpack-writer.ts';
import { packedInputs, type PackedInput, type RequestFields, scheduledParameters } from './request-fields.ts';

/** `{inputs, outputs?, parameters?}`: the body over HTTP, where model and version are in the path. */
export function encodeMsgpackBody(fields: RequestFields): Uint8Array<ArrayBuffer> {
  const inputs = packedInputs(fields);
  const writer = writerFor(inputs);
  const parameters = scheduledParameters(fields);
  const hasParameters = Object.keys(parameters).length > 0;
  writer.map(1 + (fields.outputs.length > 0 ? 1 : 0) + (hasParameters ? 1 : 0));
  writeTensors(inputs, fields.outputs, writer);
  if (hasParameters) writeParameters(parameters, writer);
  return writer.finish();
}

/** A writer that holds these tensors and the few hundred bytes around them without growing. */
export function writerFor(inputs: readonly PackedInput[]): MsgpackWriter {
  return new MsgpackWriter(
    inputs.reduce((sum, { name, bytes }) => sum + bytes.length + name.length + 96, 256),
  );
}

/** The pairs `inputs` and, when some are named, `outputs`. */
export function writeTensors(
  inputs: readonly PackedInput[],
  outputs: readonly string[],
  writer: MsgpackWriter,
): void {
  writer.text('inputs');
  writer.array(inputs.length);
  for (const { name, datatype, shape, bytes } of inputs) {
    writer.map(4);
    writer.text('name');
    writer.text(name);
    writer.text('shape');
    writer.array(shape.length);
    for (const size of shape) writer.number(size);
    writer.text('datatype');
    writer.text(datatype);
    writer.text('data');
    writer.binary(bytes);
  }
  if (outputs.length === 0) return;
  writer.text('outputs');
  writer.array(outputs.length);
  for (const name of outputs) {
    writer.map(1);
    writer.text('name');
    writer.text(name);
  }
}

export function writeParameters(
  parameters: Readonly<Record<string, ParameterValue>>,
  writer: MsgpackWriter,
): void {
  const entries = Object.entries(parameters);
  writer.text('parameters');
  writer.map(entries.length);
  for (const [name, value] of entries) {
    writer.text(name);
    if (typeof value === 'string') writer.text(value);
    else if (typeof value === 'number') writer.number(value);
    else writer.boolean(value);
  }
}

/** `{model_name, model_version, outputs}`. Throws INVALID_RESPONSE. */
export function resultOfMsgpack(message: MsgpackMap): InferResult {
  const outputs = message.get('outputs');
  if (!isList(outputs)) throw invalid('The answer has no outputs.');
  return new InferResult({
    model: textOr(message.get('model_name'), ''),
    version: textOr(message.get('model_version'), ''),
    outputs: outputs.map(outputOf),
    cache: cacheUseOf(message.get('cache')),
  });
}

export function isMap(value: MsgpackValue | undefined): value is MsgpackMap {
  return value instanceof Map;
}

export function textOr<Other>(value: MsgpackValue | undefined, other: Other): string | Other {
  return typeof value === 'string' ? value : other;
}

/** An output of an answer before its elements are read. */
export interface OutputHead {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

function outputOf(output: MsgpackValue): NamedTensor {
  if (!isMap(output)) throw invalid('An output of the answer is no map.');
  const name = output.get('name');
  const datatype = output.get('datatype');
  const shape = output.get('shape');
  const data = output.get('data');
  if (typeof name !== 'string' || !isDatatype(datatype) || !isShape(shape)) {
    throw invalid('An output of the answer has no name, datatype or shape that can be read.');
  }
  if (data instanceof Uint8Array) return { name, ...tensorOfPacked(datatype, shape, data) };
  if (!isList(data) || data.length !== elementCount(shape)) {
    throw invalid(`The output ${name} has no data of its shape.`);
  }
  return tensorOfValues({ name, datatype, shape }, data);
}

/** BYTES come as a list of texts, other datatypes only from servers that pack nothing. */
export function tensorOfValues(head: OutputHead, values: readonly unknown[]): NamedTensor {
  const { name, datatype } = head;
  if (datatype !== 'BYTES') return { ...head, data: asElements(datatype, values) } as NamedTensor;
  if (!values.every((value) => typeof value === 'string' || value instanceof Uint8Array)) {
    throw invalid(`An element of the output ${name} is neither text nor bytes.`);
  }
  return { ...head, data: values } as NamedTensor;
}

function asElements(datatype: NumericDatatype, values: readonly unknown[]): ReturnType<typeof numericData> {
  try {
    return numericData(datatype, values);
  } catch (cause) {
    throw new TidegateError('INVALID_RESPONSE', `An output of ${datatype} holds something else.`, { cause });
  }
}

function isList(value: MsgpackValue | undefined): value is readonly MsgpackValue[] {
  return Array.isArray(value);
}

function isShape(value: MsgpackValue | undefined): value is readonly number[] {
  return isList(value) && value.every((size) => Number.isSafeInteger(size) && Number(size) >= 0);
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_RESPONSE', message);
}
