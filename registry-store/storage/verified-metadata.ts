/** The metadata of a store after it was verified: values and the bytes they came from. Nothing here reads a source. */
import { accept } from '../store-error.ts';
import { splitEnvelope } from '../trust/envelope.ts';
import { type RoleKeys, checkSignatures } from '../trust/role-keys.ts';
import type { FilePin, SignedRoot, SignedTarget, SignedTargets } from '../trust/signed-content.ts';
import type { VersionFloor } from '../trust/version-floor.ts';

export interface VerifiedMetadata {
  readonly root: SignedRoot;
  /** Version, expiry and keys of every role. */
  readonly roles: ReadonlyMap<string, VerifiedRole>;
  /** What is signed, by path. */
  readonly targets: ReadonlyMap<string, SignedTarget>;
  /** `targets` and what each delegated role lists, whether it decides about the path or not. */
  readonly listedBy: ReadonlyMap<string, SignedTargets>;
  /** The current files, by path in the store. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface VerifiedRole {
  readonly version: number;
  readonly expires: string;
  readonly keys: RoleKeys;
  /** Which bytes the snapshot names for the role; undefined for root, timestamp and snapshot. */
  readonly pin?: FilePin;
}

/** The signed part of a file whose signatures are good. */
export function signedBytes(bytes: Uint8Array, keys: RoleKeys, path: string): Uint8Array {
  const envelope = accept(splitEnvelope(bytes, path));
  return accept(checkSignatures(envelope, keys)).signedBytes;
}

export function floorOf(roles: ReadonlyMap<string, VerifiedRole>): VersionFloor {
  return new Map(
    [...roles].map(([role, { version, keys }]) => [role, { version, keyIds: [...keys.keys.keys()].sort() }]),
  );
}

/** Metadata times are text to the second. */
export function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
