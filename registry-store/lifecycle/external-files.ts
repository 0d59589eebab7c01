/**
 * The files that hold a model's tensors beside it, and the model with all of them inside. A model names them itself, so
 * nothing outside of the model's folder is touched: that would tell a stranger's file what is on this machine, and sign
 * something of it into the store.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { type ExternalSpan, embedExternalData } from '../onnx/embed-external.ts';
import { type ExternalFile, externalFilesOf } from '../onnx/weight-facts.ts';
import { printable } from '../onnx/onnx-refusal.ts';
import { StoreError, systemCode } from '../store-error.ts';

export interface FoundFile extends ExternalFile {
  /** `outside`: not within the folder of the model, so nobody looked. `short`: it ends before the tensors do. */
  readonly status: 'present' | 'short' | 'missing' | 'outside';
  /** Undefined when it is not there. */
  readonly sizeBytes: number | undefined;
}

/**
 * The ONNX file at `path` as one file: `model` itself when it has everything inside, and otherwise with the tensors of the
 * files beside it. One file has one digest, so a node knows the whole of what was published by it.
 * Codes: MODEL_REFUSED (NOT_ONNX, TOO_LARGE, EXTERNAL_DATA), FILE_UNREADABLE.
 */
export async function withExternalData(
  path: string,
  model: Uint8Array,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const named = externalFilesOf(model);
  if (named.length === 0) return model;
  const files = await findExternalFiles(path, named);
  const problem = files.map(obstacle).find((text) => text !== undefined);
  if (problem !== undefined) throw new StoreError('MODEL_REFUSED', `EXTERNAL_DATA: ${problem}`);
  const embedded = embedExternalData(model);
  if (!embedded.ok) throw new StoreError('MODEL_REFUSED', `${embedded.code}: ${embedded.message}`);
  const { bytes, spans } = embedded.value;
  const folder = await realpath(dirname(path));
  for (const { location } of files) {
    const own = spans.filter((span) => span.location === location);
    await readSpans(await realpath(join(folder, location)), { bytes, spans: own, signal });
  }
  return bytes;
}

function obstacle({ location, status, neededBytes, sizeBytes }: FoundFile): string | undefined {
  const file = `The model keeps tensors in ${JSON.stringify(printable(location).slice(0, 200))}`;
  switch (status) {
    case 'present':
      return undefined;
    case 'missing':
      return `${file}, which is not beside it. Put the file there.`;
    case 'outside':
      return `${file}, which is not within the folder of the model, and nothing else is read. Put the file beside the model and export again.`;
    case 'short':
      return `${file}, which has ${sizeBytes ?? 0} bytes where the tensors take ${neededBytes}. Copy the file again.`;
  }
}

/** Larger pieces are not faster, and Ctrl-C is heard between two of them. */
const pieceBytes = 8 * 1024 * 1024;

interface Spans {
  readonly bytes: Uint8Array;
  readonly spans: readonly ExternalSpan[];
  readonly signal: AbortSignal | undefined;
}

async function readSpans(path: string, { bytes, spans, signal }: Spans): Promise<void> {
  let file: FileHandle | undefined;
  try {
    // Looked at before: what has become a link since then is not followed.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    for (const { offset, lengthBytes, at } of spans) {
      let done = 0;
      while (done < lengthBytes) {
        signal?.throwIfAborted();
        const length = Math.min(pieceBytes, lengthBytes - done);
        const { bytesRead } = await file.read(bytes, at + done, length, offset + done);
        if (bytesRead === 0) throw new StoreError('FILE_UNREADABLE', `${path} was cut while it was read.`);
        done += bytesRead;
      }
    }
  } catch (error) {
    if (signal?.aborted === true || error instanceof StoreError) throw error;
    const reason = systemCode(error) ?? 'unknown reason';
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be read (${reason}).`, { cause: error });
  } finally {
    await file?.close();
  }
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
