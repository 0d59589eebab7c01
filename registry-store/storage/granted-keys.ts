/**
 * Keys that any root or delegation in a folder gives to a role, or gave it once. Files in force are signed with the
 * keys of today. Beside them lie superseded ones, which may be signed with keys that were replaced since, and after a
 * crash those of a change that was never put in force, which may name roles and keys that are not yet known. Both count
 * as part of the store when some signed file in it vouches for their signer; neither is ever served from.
 */
import { isStoreError } from '../store-error.ts';
import type { RoleKeys } from '../trust/role-keys.ts';
import { type SignedTargets, parseTargets } from '../trust/signed-content.ts';
import { bytesMaxOf, classifyStoreFile, metadataFile } from '../trust/store-file.ts';
import { checkNextRoot, checkPinnedRoot } from './root-chain.ts';
import type { StoreSource } from './store-source.ts';
import { type VerifiedMetadata, signedBytes } from './verified-metadata.ts';

/** By role; the keys of today first. */
export type GrantedKeys = ReadonlyMap<string, readonly RoleKeys[]>;

interface Folder {
  readonly listing: readonly string[];
  readonly metadata: VerifiedMetadata;
}

export async function readGrantedKeys(source: StoreSource, folder: Folder): Promise<GrantedKeys> {
  const granted = new Map<string, RoleKeys[]>();
  const grant = (keys: RoleKeys): void => {
    if (granted.get(keys.role)?.push(keys) === undefined) granted.set(keys.role, [keys]);
  };
  for (const { keys } of folder.metadata.roles.values()) grant(keys);
  for (const keys of await readPastRoots(source, folder.metadata)) grant(keys);
  // Delegating roles from the top down; a store has these two.
  for (const role of ['targets', 'models']) {
    for (const path of filesOf(role, folder.listing)) {
      const file = await readSigned(source, { path, role, granted });
      for (const { keys } of file?.delegations ?? []) grant(keys);
    }
  }
  return granted;
}

/** The signed part of a file that one of these keys vouches for; throws what today's keys say when none does. */
export function vouchedBytes(bytes: Uint8Array, keys: readonly RoleKeys[], path: string): Uint8Array {
  let problem: unknown;
  for (const candidate of keys) {
    try {
      return signedBytes(bytes, candidate, path);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      problem ??= error;
    }
  }
  throw problem;
}

async function readPastRoots(source: StoreSource, metadata: VerifiedMetadata): Promise<readonly RoleKeys[]> {
  const keys: RoleKeys[] = [];
  let before;
  for (let version = 1; version <= metadata.root.version; version++) {
    const path = metadataFile('root', version);
    const bytes = await source.read(path, bytesMaxOf('root'));
    if (bytes === undefined) return keys;
    before = before === undefined ? checkPinnedRoot(bytes) : checkNextRoot(before, bytes, path);
    keys.push(...Object.values(before.roles));
  }
  return keys;
}

function filesOf(role: string, listing: readonly string[]): readonly string[] {
  return listing.filter((path) => {
    const file = classifyStoreFile(path);
    return file?.kind === 'metadata' && file.role === role;
  });
}

/** Undefined when nobody vouches for it: then it grants nothing. */
async function readSigned(
  source: StoreSource,
  file: { readonly path: string; readonly role: string; readonly granted: GrantedKeys },
): Promise<SignedTargets | undefined> {
  const { path, role, granted } = file;
  const bytes = await source.read(path, bytesMaxOf(role));
  if (bytes === undefined) return undefined;
  try {
    const parsed = parseTargets(vouchedBytes(bytes, granted.get(role) ?? [], path), path);
    return parsed.ok ? parsed.value : undefined;
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
}
