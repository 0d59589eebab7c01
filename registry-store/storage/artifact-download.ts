/**
 * Brings one model file from an HTTP source into the cache: goes on where an earlier attempt stopped if the server
 * still has that very file, checks length and digest on the way, and gives the file its name only when it is whole and
 * flushed.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { StoreError, refusal } from '../store-error.ts';
import { ArtifactDigest, type SignedFile } from '../trust/artifact-digest.ts';
import { targetFile } from '../trust/store-file.ts';
import { type ArtifactCache, cacheTrouble, hashStart } from './artifact-cache.ts';
import type { FileRest, HttpSource } from './http-source.ts';
import { SourceUnreachable } from './store-source.ts';

export interface DownloadOptions {
  readonly source: HttpSource;
  readonly cache: ArtifactCache;
  readonly file: SignedFile;
  /** Called with how many bytes of the file are there. */
  readonly progress: (bytes: number) => void;
}

/** How often a cut connection is taken up again at once, as long as each attempt brought something. */
const attemptsMax = 5;

/** Codes: SOURCE_UNREACHABLE (what came is kept), STORE_REFUSED (what came is removed), FILE_UNREADABLE. */
export async function download(options: DownloadOptions): Promise<void> {
  const { cache, file } = options;
  for (let attempt = 1; ; attempt++) {
    const before = (await cache.partial(file)).sizeBytes;
    try {
      await downloadOnce(options);
      return;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'STORE_REFUSED') {
        await cache.dropPartial(file);
        // The first part may have been the bad one: once more from the start, then it is the server's fault.
        if (before > 0 && attempt < attemptsMax) continue;
      }
      const isCut = error instanceof SourceUnreachable && (await cache.partial(file)).sizeBytes > before;
      if (!isCut || attempt >= attemptsMax) throw cacheTrouble(cache.folder, error);
    }
  }
}

async function downloadOnce(options: DownloadOptions): Promise<void> {
  const { source, cache, file, progress } = options;
  const path = targetFile(file);
  const partial = await cache.partial(file);
  const rest = await source.readRest(path, { offset: partial.sizeBytes, validator: partial.validator });
  if (rest === undefined) throw refusal('file-present', `${path} is missing.`);
  try {
    checkLength(rest, file);
    // Before the first byte, so that a part without a validator is never taken for the start of another file.
    if (rest.offset === 0) await cache.rememberValidator(file, rest.validator);
  } catch (error) {
    rest.discard();
    throw error;
  }
  const digest = new ArtifactDigest({ ...file, path });
  const out = await open(partial.path, rest.offset === 0 ? 'w+' : 'r+');
  try {
    await hashStart(out, rest.offset, digest);
    progress(rest.offset);
    let at = rest.offset;
    for await (const piece of rest.body) {
      if (!digest.add(piece))
        throw refusal('file-size', `${path} goes on after the ${file.sizeBytes} bytes that were signed.`);
      at += await writeAll(out, piece, at);
      progress(at);
    }
    const checked = digest.finish();
    if (!checked.ok) throw refusal(checked.check, checked.message);
    await out.sync();
  } finally {
    await out.close();
  }
  await cache.complete(file);
}

async function writeAll(out: FileHandle, piece: Uint8Array, at: number): Promise<number> {
  for (let written = 0; written < piece.byteLength;) {
    written += (await out.write(piece, written, piece.byteLength - written, at + written)).bytesWritten;
  }
  return piece.byteLength;
}

/** A server that says from the start that it will send something else need not be listened to. */
function checkLength(rest: FileRest, file: SignedFile): void {
  if (rest.sizeBytes === undefined || rest.offset + rest.sizeBytes === file.sizeBytes) return;
  const found = rest.offset + rest.sizeBytes;
  throw refusal(
    'file-size',
    `${targetFile(file)} has ${found} bytes, not the ${file.sizeBytes} that were signed.`,
  );
}
