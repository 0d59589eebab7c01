/**
 * Tensors as the bytes that travel: elements little-endian and packed, BYTES each with a 4-byte length in front.
 * Invariant: reading copies only what is not aligned to its element size; what comes back may alias what came in.
 */
import { TidegateError } from '../tidegate-error.ts';
import { type Datatype, type NumericData, numericRow } from './datatype.ts';
import { elementCount, type Tensor } from './tensor.ts';

const encoder = new TextEncoder();
/** Without `ignoreBOM` a text that begins with U+FEFF would lose it. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of all elements; a view of the tensor itself unless it is BYTES. */
export function packedBytes({ datatype, data }: Tensor): Uint8Array {
  if (datatype !== 'BYTES') return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const elements = data.map((element) => (typeof element === 'string' ? encoder.encode(element) : element));
  const packed = new Uint8Array(elements.reduce((sum, element) => sum + 4 + element.length, 0));
  const view = new DataView(packed.buffer);
  let offset = 0;
  for (const element of elements) {
    view.setUint32(offset, element.length, true);
    packed.set(element, offset + 4);
    offset += 4 + element.length;
  }
  return packed;
}

/** Reads the bytes of all elements. Throws INVALID_RESPONSE when they do not fit datatype and shape. */
export function tensorOfPacked<D extends Datatype>(
  datatype: D,
  shape: readonly number[],
  bytes: Uint8Array,
): Tensor<D> {
  const count = elementCount(shape);
  const data = datatype === 'BYTES' ? readBytes(count, bytes) : readNumeric(datatype, count, bytes);
  return { datatype, shape, data } as unknown as Tensor<D>;
}

function readNumeric(datatype: Exclude<Datatype, 'BYTES'>, count: number, bytes: Uint8Array): NumericData {
  const row = numericRow(datatype);
  if (bytes.length !== count * row.elementBytes) {
    throw invalid(
      `${count} elements of ${datatype} take ${count * row.elementBytes} bytes, not ${bytes.length}.`,
    );
  }
  const aligned = bytes.byteOffset % row.elementBytes === 0 ? bytes : new Uint8Array(bytes);
  return new row.array(aligned.buffer, aligned.byteOffset, count);
}

function readBytes(count: number, bytes: Uint8Array): readonly (string | Uint8Array)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: (string | Uint8Array)[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const start = offset + 4;
    const end = start <= bytes.length ? start + view.getUint32(offset, true) : Infinity;
    if (end > bytes.length || elements.length === count)
      throw invalid('The lengths inside a BYTES tensor do not fit.');
    elements.push(textIfText(bytes.subarray(start, end)));
    offset = end;
  }
  if (elements.length !== count)
    throw invalid(`A BYTES tensor has ${elements.length} elements, not ${count}.`);
  return elements;
}

function textIfText(bytes: Uint8Array): string | Uint8Array {
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes.slice();
  }
}

function invalid(message: string): TidegateError {
  return new TidegateError('INVALID_RESPONSE', message);
}
