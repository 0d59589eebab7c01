/**
 * Writing that survives a power cut: a file is complete under its final name or not there at all.
 * The bytes are flushed before the rename and the folder after it; without either, a crash can leave an empty file.
 */
import { randomUUID } from 'node:crypto';
import { open, mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** `via` is a folder on the same file system where the file is made; by default the one it ends up in. */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  options: { readonly via?: string; readonly mode?: number } = {},
): Promise<void> {
  const folder = dirname(path);
  const via = options.via ?? folder;
  await mkdir(folder, { recursive: true });
  await mkdir(via, { recursive: true });
  const draft = join(via, `draft-${randomUUID()}`);
  try {
    await writeFlushed(draft, bytes, options.mode ?? 0o644);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await flushFolder(folder);
}

/** A new file whose bytes are on the disk when this returns; its name may not be until the folder is flushed. */
export async function writeFlushed(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(bytes);
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
