/** Which numbers each integer datatype holds: the one place that JSON text and built values are both checked against. */
import type { NumericDatatype } from '../../runtime/tensor/dtype.ts';

export type IntegerDatatype = Exclude<NumericDatatype, 'BOOL' | 'FP16' | 'FP32' | 'FP64'>;

/** Smallest integer, and the first one too large: a power of two, so exact as a double also for 64 bits. */
export type IntegerRange = readonly [min: number, beyond: number];

export const integerRange: Readonly<Record<IntegerDatatype, IntegerRange>> = {
  UINT8: [0, 2 ** 8],
  UINT16: [0, 2 ** 16],
  UINT32: [0, 2 ** 32],
  UINT64: [0, 2 ** 64],
  INT8: [-(2 ** 7), 2 ** 7],
  INT16: [-(2 ** 15), 2 ** 15],
  INT32: [-(2 ** 31), 2 ** 31],
  INT64: [-(2 ** 63), 2 ** 63],
};
