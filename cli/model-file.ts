/** Reads a model file piece by piece, so that a person sees how far it is and Ctrl-C is heard in between. */
import { open } from 'node:fs/promises';
import { StoreError } from '../registry-store/main.ts';

const pieceBytes = 8 * 1024 * 1024;

export interface ReadProgress {
  readonly signal: AbortSignal;
  readonly progress: (doneBytes: number, totalBytes: number) => void;
}

export async function readModelFile(path: string, { signal, progress }: ReadProgress): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r');
    try {
      const stat = await file.stat();
      // A pipe or device has no size to go by.
      if (!stat.isFile()) return await file.readFile({ signal });
      const bytes = new Uint8Array(stat.size);
      let doneBytes = 0;
      while (doneBytes < bytes.byteLength) {
        signal.throwIfAborted();
        const length = Math.min(pieceBytes, bytes.byteLength - doneBytes);
        const { bytesRead } = await file.read(bytes, doneBytes, length, doneBytes);
        // Cut while it was read; what was read is what counts, and the model check will say what it thinks of it.
        if (bytesRead === 0) return bytes.subarray(0, doneBytes);
        doneBytes += bytesRead;
        progress(doneBytes, bytes.byteLength);
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (signal.aborted) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  }
}
