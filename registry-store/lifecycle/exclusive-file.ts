/**
 * A file that comes into being whole and only if its name is free: for locks and keys, where an overwritten or half
 * written file would be worse than none. `rename` overwrites and `open` shows an empty file first; a hard link does
 * neither.
 */
import { randomUUID } from 'node:crypto';
import { link, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../store-error.ts';
import { flushFolder, writeFlushed } from '../storage/durable-file.ts';

/** File systems without hard links say one of these. */
const noLinks: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP']);

/**
 * Throws the system error EEXIST when the name is taken; after any error the file is not there because of this call.
 * The folder must be there. With `via` the draft is made in that folder, on the same file system, and only the holder
 * of a lock may call: where there are no hard links the draft is then moved into place, which is whole but not
 * exclusive.
 */
export async function createExclusively(
  path: string,
  bytes: Uint8Array,
  options: { readonly mode?: number; readonly via?: string } = {},
): Promise<void> {
  const { mode = 0o644, via } = options;
  // Drafts of locks belong to publishers that do not hold one yet; the holder leaves them alone when it sweeps.
  const draft = join(via ?? dirname(path), `${via === undefined ? 'lock-' : ''}draft-${randomUUID()}`);
  let isMade = false;
  try {
    await writeFlushed(draft, bytes, mode);
    try {
      await link(draft, path);
    } catch (error) {
      if (!noLinks.has(systemCode(error))) throw error;
      if (via === undefined) await writeFlushed(path, bytes, mode);
      else await rename(draft, path);
    }
    isMade = true;
    await flushFolder(dirname(path));
  } catch (error) {
    if (isMade) await rm(path, { force: true });
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
