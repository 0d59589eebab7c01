/**
 * The `parameters` objects of the Open Inference Protocol in JSON, at the request, its inputs and its outputs. It reads
 * values off the text; what they mean is in request-options.ts.
 * Invariant: a name stands in an object once, and a null value is as good as none.
 */
import type { BodyKey } from './body-key.ts';
import { fail, type WireError } from './error-code.ts';
import type { JsonScanner } from './json-scanner.ts';
import {
  isCount,
  isSharedMemory,
  type OptionsDraft,
  type OutputDraft,
  type ParameterValue,
  sharedMemoryUnsupported,
  takeOutputParameter,
  wrongKind,
} from './request-options.ts';
import { quoted } from './strict-text.ts';

/** The parameters of the request. Values are strings, numbers and booleans. `key` is shown all of them. */
export function readRequestParameters(
  scanner: JsonScanner,
  options: OptionsDraft,
  key?: BodyKey,
): WireError | undefined {
  return readMap(scanner, 'parameters', (name) => {
    scanner.peek();
    const start = scanner.at;
    const value = readScalar(scanner);
    if (value === undefined) {
      return scanner.refuse(`The parameter ${quoted(name)}`, 'a string, a number, true or false');
    }
    key?.took(scanner, name, { start, value });
    return options.take(name, value);
  });
}

/** The parameters of an output; those that are not known may hold anything. */
export function readOutputParameters(
  scanner: JsonScanner,
  where: string,
  draft: OutputDraft,
): WireError | undefined {
  return readMap(scanner, where, (name) => {
    const value = readScalar(scanner);
    if (value !== undefined) return takeOutputParameter(draft, { name, value, where });
    scanner.skipValue();
    return undefined;
  });
}

/** The parameters of an input. `takeSize` is told the `binary_data_size`. */
export function readInputParameters(
  scanner: JsonScanner,
  where: string,
  takeSize: (bytes: number) => void,
): WireError | undefined {
  return readMap(scanner, where, (name) => {
    if (isSharedMemory(name)) return sharedMemoryUnsupported(`${where}.${name}`);
    if (name !== 'binary_data_size') {
      scanner.skipValue();
      return undefined;
    }
    const size = readScalar(scanner);
    if (!isCount(size)) {
      return scanner.fault ?? wrongKind(`${where}.binary_data_size`, 'a whole number of bytes');
    }
    takeSize(size);
    return undefined;
  });
}

function readMap(
  scanner: JsonScanner,
  where: string,
  read: (name: string) => WireError | undefined,
): WireError | undefined {
  if (scanner.skipNull()) return undefined;
  if (!scanner.enterObject()) return scanner.refuse(where, 'an object');
  const seen = new Set<string>();
  for (let name = scanner.nextName(); name !== undefined; name = scanner.nextName()) {
    if (seen.has(name)) return fail('INVALID_REQUEST', `${where} has ${quoted(name)} twice.`);
    seen.add(name);
    if (scanner.skipNull()) continue;
    const problem = read(name);
    if (problem !== undefined) return problem;
  }
  return scanner.fault;
}

/** Undefined, and nothing is consumed, for arrays and objects. */
function readScalar(scanner: JsonScanner): ParameterValue | undefined {
  return scanner.readString() ?? scanner.readNumber() ?? scanner.readBoolean();
}
