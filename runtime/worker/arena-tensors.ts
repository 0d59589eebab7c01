/**
 * The worker's side of the shared arena: pieces become input arrays, result arrays become offsets. One piece is used
 * where it lies; several are joined, which costs a copy and happens only when a batch spans two slabs.
 */
import { elementBytes, typedView, type NumericArray, type NumericDatatype } from '../tensor/dtype.ts';
import { elementCount, type TensorSpec } from '../tensor/signature.ts';
import type { ArenaPiece, RunInput, RunOutput } from '../protocol/worker-task.ts';
import type { SessionTensor } from './onnx-session.ts';

/** Results start at multiples of this inside their region, so that every element type is aligned. */
const resultAlignBytes = 8;

export function inputTensor(arena: SharedArrayBuffer, spec: TensorSpec, input: RunInput): SessionTensor {
  if ('strings' in input) return { shape: input.shape, data: input.strings };
  if (spec.datatype === 'BYTES') throw new TypeError(`input ${spec.name} takes strings`);
  const [first, second] = input.pieces;
  if (first !== undefined && second === undefined) {
    return { shape: input.shape, data: pieceView(arena, spec.datatype, first) };
  }
  return { shape: input.shape, data: joined(arena, spec.datatype, input) };
}

/**
 * Stores results one behind the other in `[byteOffset, byteOffset + bytes)` of the arena. A result that does not fit
 * is moved to the other thread as a buffer instead: nothing is ever cut. `moved` collects the buffers to transfer.
 */
export function storeResults(
  arena: SharedArrayBuffer,
  region: { readonly byteOffset: number; readonly bytes: number },
  results: readonly SessionTensor[],
): { readonly outputs: RunOutput[]; readonly moved: ArrayBuffer[] } {
  const moved: ArrayBuffer[] = [];
  const end = region.byteOffset + region.bytes;
  let next = region.byteOffset;
  const outputs = results.map(({ shape, data }): RunOutput => {
    if (!ArrayBuffer.isView(data)) return { shape, strings: data };
    const start = Math.ceil(next / resultAlignBytes) * resultAlignBytes;
    if (start + data.byteLength > end) {
      const buffer = ownBuffer(data);
      moved.push(buffer);
      return { shape, moved: buffer };
    }
    next = start + data.byteLength;
    new Uint8Array(arena, start, data.byteLength).set(bytesOf(data));
    return { shape, byteOffset: start };
  });
  return { outputs, moved };
}

function joined(
  arena: SharedArrayBuffer,
  datatype: NumericDatatype,
  input: { readonly shape: readonly number[]; readonly pieces: readonly ArenaPiece[] },
): NumericArray {
  const total = elementCount(input.shape);
  const bytes = new Uint8Array(total * elementBytes(datatype));
  let position = 0;
  for (const piece of input.pieces) {
    const view = pieceView(arena, datatype, piece);
    bytes.set(bytesOf(view), position);
    position += view.byteLength;
  }
  return typedView(datatype, { buffer: bytes.buffer, byteOffset: 0, elementCount: total });
}

function pieceView(arena: SharedArrayBuffer, datatype: NumericDatatype, piece: ArenaPiece): NumericArray {
  return typedView(datatype, { buffer: arena, byteOffset: piece.byteOffset, elementCount: piece.elements });
}

/** The runtime's fresh result array, as a buffer of exactly its elements that can be moved to another thread. */
function ownBuffer(data: NumericArray): ArrayBuffer {
  const { buffer } = data;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === data.byteLength) return buffer;
  return new Uint8Array(bytesOf(data)).buffer;
}

function bytesOf(data: NumericArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
