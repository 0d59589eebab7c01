/**
 * Writing that survives a power cut: a file is complete under its final name or not there at all.
 * The bytes are flushed before the rename and the folder after it; without either, a crash can leave an empty file.
 */
import { randomUUID } from 'node:crypto';
import { open, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What may happen between the pieces of a long file; what it throws ends the writing, and the file is not there. */
export type BeforePiece = (pieceBytes: number) => void;

const pieceBytesMax = 4 * 1024 * 1024;

/** `via` is a folder on the same file system where the file is made; by default the one it ends up in. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  options: { readonly via?: string; readonly mode?: number; readonly beforePiece?: BeforePiece } = {},
): Promise<void> {
  const folder = dirname(path);
  const via = options.via ?? folder;
  await mkdir(folder, { recursive: true });
  await mkdir(via, { recursive: true });
  const draft = join(via, `draft-${randomUUID()}`);
  try {
    await writeFlushed(draft, bytes, options.mode ?? 0o644, options.beforePiece);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await flushFolder(folder);
}

/** A new file whose bytes are on the disk when this returns; its name may not be until the folder is flushed. */
export async function writeFlushed(
  path: string,
  bytes: Uint8Array,
  mode = 0o644,
  beforePiece: BeforePiece = () => undefined,
): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    for (let at = 0; at < bytes.byteLength; at += pieceBytesMax) {
      const piece = bytes.subarray(at, at + pieceBytesMax);
      beforePiece(piece.byteLength);
      await file.writeFile(piece);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
