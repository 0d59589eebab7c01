/** Elements of a tensor as plain values, for people who print or compare them. Typed arrays are faster for the rest. */
import { TidegateError } from '../tidegate-error.ts';
import { halfToNumber } from './half-float.ts';
import type { Tensor } from './tensor.ts';

/**
 * All elements as numbers, row-major: FP16 from its bit patterns, BOOL as 0 and 1.
 * Throws INVALID_ARGUMENT for BYTES and for a 64-bit whole number that a number cannot hold exactly.
 */
export function numbersOf({ datatype, data }: Tensor): number[] {
  switch (datatype) {
    case 'BYTES':
      throw new TidegateError('INVALID_ARGUMENT', 'A BYTES tensor holds no numbers; use textsOf or bytesOf.');
    case 'FP16':
      return Array.from(data, halfToNumber);
    case 'INT64':
    case 'UINT64':
      return Array.from<bigint, number>(data, safeNumber);
    case 'BOOL':
    case 'UINT8':
    case 'UINT16':
    case 'UINT32':
    case 'INT8':
    case 'INT16':
    case 'INT32':
    case 'FP32':
    case 'FP64':
      return Array.from(data);
  }
}

/** All elements of a BYTES tensor as text. Throws INVALID_RESPONSE for one that is not UTF-8. */
export function textsOf(tensor: Tensor): string[] {
  return bytesData(tensor).map((element) => {
    if (typeof element === 'string') return element;
    throw new TidegateError('INVALID_RESPONSE', 'An element of the BYTES tensor is not UTF-8; use bytesOf.');
  });
}

/** All elements of a BYTES tensor as bytes, text as UTF-8. */
export function bytesOf(tensor: Tensor): Uint8Array[] {
  const encoder = new TextEncoder();
  return bytesData(tensor).map((element) =>
    typeof element === 'string' ? encoder.encode(element) : element,
  );
}

function bytesData({ datatype, data }: Tensor): readonly (string | Uint8Array)[] {
  if (datatype === 'BYTES') return data;
  throw new TidegateError(
    'INVALID_ARGUMENT',
    `A tensor of ${datatype} holds no bytes; use numbersOf or data.`,
  );
}

function safeNumber(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new TidegateError(
    'INVALID_ARGUMENT',
    `${value.toString()} is no exact number in JavaScript; read data, which holds bigints.`,
  );
}
