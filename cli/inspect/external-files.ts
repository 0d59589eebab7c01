/**
 * Looks for the files that hold a model's tensors beside it. A model names them itself, so none is opened and nothing
 * outside of the model's folder is touched: that would tell a stranger's file what is on this machine.
 */
import { realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { ExternalFile } from '../../registry-store/onnx/inspect-model.ts';

export interface FoundFile extends ExternalFile {
  /** `outside`: not within the folder of the model, so nobody looked. `short`: it ends before the tensors do. */
  readonly status: 'present' | 'short' | 'missing' | 'outside';
  /** Undefined when it is not there. */
  readonly sizeBytes: number | undefined;
}

export async function findExternalFiles(
  modelPath: string,
  files: readonly ExternalFile[],
): Promise<readonly FoundFile[]> {
  if (files.length === 0) return [];
  const folder = await realpath(dirname(modelPath));
  return Promise.all(files.map((file) => find(folder, file)));
}

async function find(folder: string, file: ExternalFile): Promise<FoundFile> {
  const outside: FoundFile = { ...file, status: 'outside', sizeBytes: undefined };
  if (isAbsolute(file.location) || !isWithin(folder, join(folder, file.location))) return outside;
  try {
    // A link may lead out of the folder that its name is in.
    const path = await realpath(join(folder, file.location));
    if (!isWithin(folder, path)) return outside;
    const found = await stat(path);
    if (!found.isFile()) return { ...file, status: 'missing', sizeBytes: undefined };
    const isShort = found.size < file.neededBytes;
    return { ...file, status: isShort ? 'short' : 'present', sizeBytes: found.size };
  } catch {
    return { ...file, status: 'missing', sizeBytes: undefined };
  }
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
