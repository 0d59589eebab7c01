/** Reads a model file piece by piece, so that a person sees how far it is and Ctrl-C is heard in between. */
import { open, stat as statOf } from 'node:fs/promises';
import { StoreError } from '../registry-store/main.ts';
import { onnxBytesMax } from '../registry-store/onnx/describe-model.ts';
import { sizeText } from './options/quantity.ts';

const pieceBytes = 8 * 1024 * 1024;

export interface ReadProgress {
  readonly signal: AbortSignal;
  readonly progress: (doneBytes: number, totalBytes: number) => void;
  /** Gets every piece once and in order, for what can be worked out on the way; the piece is not kept. */
  readonly piece?: (bytes: Uint8Array) => void;
}

/** Codes: FILE_UNREADABLE, and MODEL_REFUSED for a file that is too large whatever is in it. */
export async function readModelFile(
  path: string,
  { signal, progress, piece }: ReadProgress,
): Promise<Uint8Array> {
  try {
    // Opening a pipe waits for somebody who writes, where no Ctrl-C is heard, and a device may have no end.
    if (!(await statOf(path)).isFile()) throw noFile(path);
    const file = await open(path, 'r');
    try {
      const stat = await file.stat();
      if (stat.size > onnxBytesMax) throw tooLarge(path, stat.size);
      const bytes = new Uint8Array(stat.size);
      let doneBytes = 0;
      while (doneBytes < bytes.byteLength) {
        signal.throwIfAborted();
        const length = Math.min(pieceBytes, bytes.byteLength - doneBytes);
        const { bytesRead } = await file.read(bytes, doneBytes, length, doneBytes);
        // Cut while it was read; what was read is what counts, and the model check will say what it thinks of it.
        if (bytesRead === 0) return bytes.subarray(0, doneBytes);
        piece?.(bytes.subarray(doneBytes, doneBytes + bytesRead));
        doneBytes += bytesRead;
        progress(doneBytes, bytes.byteLength);
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (signal.aborted || error instanceof StoreError) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  }
}

function noFile(path: string): StoreError {
  return new StoreError(
    'FILE_UNREADABLE',
    `${path} is no regular file but a folder, a pipe or a device. Write the model to a file first.`,
  );
}

/** Said before a byte is read: there may be less memory than file. */
function tooLarge(path: string, sizeBytes: number): StoreError {
  return new StoreError(
    'MODEL_REFUSED',
    `TOO_LARGE: ${path} has ${sizeText(sizeBytes)}; the limit is ${sizeText(onnxBytesMax)}. ` +
      'Quantize the model or make it smaller.',
  );
}
