/** Tensors from a file with a JSON inference request, for models that do not accept generated ones. */
import { readFileSync } from 'node:fs';
import { elementOfJson, isDatatype } from './datatype.ts';
import { CannotRun } from './discover.ts';
import { isObject, readObject } from './infer-message.ts';
import { elementCount, type Tensor } from './tensor.ts';

/** Throws `CannotRun` with the reason. */
export function readSampleFile(file: string): readonly Tensor[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CannotRun(
      `The sample '${file}' cannot be read: ${error instanceof Error ? error.message : ''}.`,
    );
  }
  const message = readObject(bytes);
  const inputs: unknown = message.ok ? message.value['inputs'] : undefined;
  const tensors = Array.isArray(inputs) ? (inputs as readonly unknown[]).map(readTensor) : [undefined];
  if (tensors.includes(undefined)) {
    throw new CannotRun(
      `The sample '${file}' is no request {"inputs": [{"name", "shape", "datatype", "data"}]}.`,
    );
  }
  return tensors.filter((tensor) => tensor !== undefined);
}

function readTensor(input: unknown): Tensor | undefined {
  if (!isObject(input)) return undefined;
  const { name, shape, datatype, data } = input;
  if (typeof name !== 'string' || !isDatatype(datatype) || !Array.isArray(shape) || !Array.isArray(data))
    return undefined;
  const sizes = shape.map(Number);
  const elements = (data as readonly unknown[]).flat(Infinity).map((value) => elementOfJson(datatype, value));
  const whole = elements.filter((element) => element !== undefined);
  const fits = whole.length === elements.length && whole.length === elementCount(sizes);
  return fits ? { name, datatype, shape: sizes, elements: whole } : undefined;
}
