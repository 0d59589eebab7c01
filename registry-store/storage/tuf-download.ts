/**
 * Downloads a target that a TUF repository has signed: streamed into a draft, measured and hashed on the way, and put
 * under its name only when it is what was signed. A file that is there already and is the right one is not fetched.
 */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TargetFile } from '@tufjs/models';
import { refusal, systemCode } from '../store-error.ts';
import { flushFolder } from './durable-file.ts';
import type { HttpClient } from './http-request.ts';

export interface DownloadOptions {
  readonly http: HttpClient;
  readonly targetsUrl: string;
  readonly folder: string;
  /** Whether the repository stores files with a digest before their name. */
  readonly isConsistent: boolean;
}

/** Returns the path of the file. */
export async function downloadTarget(target: TargetFile, options: DownloadOptions): Promise<string> {
  const path = join(options.folder, localName(target.path));
  if (await isThere(path, target)) return path;
  await mkdir(options.folder, { recursive: true });
  const draft = join(options.folder, `.draft-${randomUUID()}`);
  try {
    await fetchInto(draft, target, options);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await flushFolder(options.folder);
  return path;
}

async function fetchInto(draft: string, target: TargetFile, options: DownloadOptions): Promise<void> {
  const base = options.targetsUrl.endsWith('/') ? options.targetsUrl : `${options.targetsUrl}/`;
  const answer = await options.http.get(new URL(remoteName(target, options.isConsistent), base), {});
  if (answer === undefined) throw refusal('file-present', `${target.path} is missing.`);
  const file = await open(draft, 'wx');
  try {
    const measured = measure(target, answer.body);
    for await (const piece of measured) await file.write(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function isThere(path: string, target: TargetFile): Promise<boolean> {
  try {
    const pieces = measure(target, createReadStream(path));
    // To the end: only there the digest is known.
    while ((await pieces.next()).done !== true);
    return true;
  } catch (error) {
    // Not there, or there with other content: either way it is fetched.
    if (systemCode(error) === 'EACCES') throw error;
    return false;
  }
}

/** Passes pieces on and throws STORE_REFUSED when they are too many, too few or not what was signed. */
async function* measure(
  { path, length, hashes }: TargetFile,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digests = (['sha256', 'sha512'] as const)
    .filter((name) => hashes[name] !== undefined)
    .map((name) => ({ expected: hashes[name], hash: createHash(name) }));
  let sizeBytes = 0;
  for await (const piece of pieces) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > length) break;
    for (const { hash } of digests) hash.update(piece);
    yield piece;
  }
  if (sizeBytes !== length) {
    throw refusal('artifact-digest', `${path} does not have the ${length} bytes that were signed.`);
  }
  if (digests.length === 0 || digests.some(({ expected, hash }) => hash.digest('hex') !== expected)) {
    throw refusal('artifact-digest', `${path} has other content than was signed.`);
  }
}

/** Escaped as a whole: a target path is a name here, never a way out of the folder. */
function localName(path: string): string {
  if (/^\.{0,2}$/.test(path))
    throw refusal('metadata-form', `${JSON.stringify(path)} is not the name of a file.`);
  return encodeURIComponent(path);
}

/** Every segment is escaped; with consistent snapshots the last one has its digest in front. */
function remoteName({ path, hashes }: TargetFile, isConsistent: boolean): string {
  const segments = path.split('/').map(encodeURIComponent);
  const digest = hashes['sha256'] ?? hashes['sha512'];
  if (isConsistent) segments.push(`${digest}.${segments.pop() ?? ''}`);
  return `./${segments.join('/')}`;
}
