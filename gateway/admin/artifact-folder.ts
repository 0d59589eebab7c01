/**
 * Artifacts that lie on this node already: read from one folder and from nowhere else. What a name leads to is decided
 * after every link was followed, and once more for the file that was opened, so that neither dots, nor links, nor a
 * folder that is exchanged in between lead out.
 */
import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { systemCode } from '../../registry-store/store-error.ts';
import { type ControlFailure, type ControlResult, accepted, refuse } from './control-error.ts';

/** Codes: ARTIFACT_PATH_REFUSED, ARTIFACT_NOT_FOUND, BODY_TOO_LARGE. `path` may be absolute if it lies inside. */
export async function readArtifactBelow(
  folder: string | undefined,
  path: string,
  bytesMax: number,
): Promise<ControlResult<Uint8Array>> {
  if (folder === undefined) {
    return refuse(
      'ARTIFACT_PATH_REFUSED',
      'This node takes no artifacts by path. Send the file, or have it started with --control-artifacts.',
    );
  }
  if (path === '' || path.includes('\0')) return outside();
  try {
    const home = await realpath(folder);
    const asked = resolve(home, path);
    // As it was written, before anything is looked up: what lies outside is not even said to exist.
    if (!isBelow(home, asked) && !isBelow(resolve(folder), asked)) return outside();
    const real = await realpath(asked);
    if (!isBelow(home, real)) return outside();
    return await readPlainFile({ home, real, bytesMax });
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return refuse('ARTIFACT_NOT_FOUND', 'The artifacts folder has no such file.');
    }
    return refuse('ARTIFACT_PATH_REFUSED', `The artifact cannot be read (${code}).`);
  }
}

async function readPlainFile(place: {
  readonly home: string;
  readonly real: string;
  readonly bytesMax: number;
}): Promise<ControlResult<Uint8Array>> {
  const { home, real, bytesMax } = place;
  // Without O_NONBLOCK a named pipe would be waited for.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const opened = await file.stat();
    if (!opened.isFile()) return outside();
    if (!isBelow(home, await realpath(real))) return outside();
    const now = await stat(real);
    if (now.ino !== opened.ino || now.dev !== opened.dev) return outside();
    if (opened.size > bytesMax) {
      return refuse('BODY_TOO_LARGE', `The artifact is larger than artifactBytesMax, ${bytesMax} bytes.`);
    }
    const bytes = await file.readFile();
    if (bytes.length > bytesMax) {
      return refuse('BODY_TOO_LARGE', `The artifact is larger than artifactBytesMax, ${bytesMax} bytes.`);
    }
    return accepted(bytes);
  } finally {
    await file.close();
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function outside(): ControlFailure {
  return refuse('ARTIFACT_PATH_REFUSED', 'The path leads to no plain file inside the artifacts folder.');
}
