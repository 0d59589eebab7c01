/** A model or manifest is what was signed when its length and its SHA-256 are. Pieces may come one by one. */
import { createHash } from 'node:crypto';
import { type Checked, passed, refused } from './check.ts';

export interface SignedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export class ArtifactDigest {
  readonly #hash = createHash('sha256');
  readonly #expected: SignedFile;
  #sizeBytes = 0;

  constructor(expected: SignedFile) {
    this.#expected = expected;
  }

  /** False when the file is already too long, so that an endless one is not read to its end. */
  add(bytes: Uint8Array): boolean {
    this.#sizeBytes += bytes.byteLength;
    if (this.#sizeBytes > this.#expected.sizeBytes) return false;
    this.#hash.update(bytes);
    return true;
  }

  finish(): Checked<SignedFile> {
    const { path, sizeBytes, sha256 } = this.#expected;
    if (this.#sizeBytes !== sizeBytes) {
      return refused('artifact-digest', `${path} does not have the ${sizeBytes} bytes that were signed.`);
    }
    if (this.#hash.digest('hex') !== sha256) {
      return refused('artifact-digest', `${path} has other content than was signed.`);
    }
    return passed(this.#expected);
  }
}

export function checkArtifact(bytes: Uint8Array, expected: SignedFile): Checked<SignedFile> {
  const digest = new ArtifactDigest(expected);
  digest.add(bytes);
  return digest.finish();
}

/** Whether these are the bytes that a parent names. */
export function isPinned(
  bytes: Uint8Array,
  pin: { readonly sizeBytes: number; readonly sha256: string },
): boolean {
  return bytes.byteLength === pin.sizeBytes && sha256Of(bytes) === pin.sha256;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
