/** What a server says about itself and its models, read field by field, since any server may have sent it. */
import { TidegateError } from './tidegate-error.ts';
import { type JsonFields, jsonFields } from './wire/json-message.ts';

export interface ServerMetadata {
  readonly name: string;
  readonly version: string;
  /** Protocol extensions, for example `binary_tensor_data`. */
  readonly extensions: readonly string[];
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  /** -1 is a dimension of any size. */
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** Throws INVALID_RESPONSE. */
export function readServerMetadata(fields: JsonFields): ServerMetadata {
  return {
    name: text(fields['name']),
    version: text(fields['version']),
    extensions: list(fields['extensions'] ?? []).map(text),
  };
}

/** Throws INVALID_RESPONSE. */
export function readModelMetadata(fields: JsonFields): ModelMetadata {
  return {
    name: text(fields['name']),
    versions: list(fields['versions'] ?? []).map(text),
    platform: text(fields['platform']),
    inputs: list(fields['inputs']).map(tensorMetadata),
    outputs: list(fields['outputs']).map(tensorMetadata),
  };
}

function tensorMetadata(value: unknown): TensorMetadata {
  const fields = jsonFields(value, 'A tensor of the metadata');
  return {
    name: text(fields['name']),
    datatype: text(fields['datatype']),
    shape: list(fields['shape']).map(Number),
  };
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TidegateError(
    'INVALID_RESPONSE',
    'The metadata holds something that is no text where one belongs.',
  );
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new TidegateError(
    'INVALID_RESPONSE',
    'The metadata holds something that is no list where one belongs.',
  );
}
