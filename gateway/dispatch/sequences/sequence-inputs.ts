/** Inputs of a call that has to wait for its turn: out of the bytes they came in, which are not ours to keep. */
import { elementBytes, typedView } from '../../../runtime/tensor/dtype.ts';
import { elementCount } from '../../../runtime/tensor/signature.ts';
import { type Result, succeed } from '../../wire/error-code.ts';
import type { InputTensor } from '../../wire/infer-request.ts';
import { readStrings, writeElements } from '../../wire/tensor-elements.ts';

export interface KeptInputs {
  readonly inputs: readonly InputTensor[];
  readonly bytes: number;
}

/** Codes: those of `writeElements` and `readStrings`, so that a bad element is told at once and not in its turn. */
export function keptInputs(inputs: readonly InputTensor[]): Result<KeptInputs> {
  const kept: InputTensor[] = [];
  let bytes = 0;
  for (const input of inputs) {
    const { name, datatype, shape } = input;
    if (datatype === 'BYTES') {
      const read = readStrings(input);
      if (!read.ok) return read;
      bytes += read.value.reduce((sum, text) => sum + text.length, 0);
      kept.push({ name, datatype, shape, source: { kind: 'values', values: read.value } });
      continue;
    }
    const count = elementCount(shape);
    const packed = new Uint8Array(count * elementBytes(datatype));
    const target = typedView(datatype, { buffer: packed.buffer, byteOffset: 0, elementCount: count });
    const problem = writeElements(input, target);
    if (problem !== undefined) return problem;
    bytes += packed.byteLength;
    kept.push({ name, datatype, shape, source: { kind: 'packed', bytes: packed } });
  }
  return succeed({ inputs: kept, bytes });
}
