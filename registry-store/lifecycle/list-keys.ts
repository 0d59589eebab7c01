/** Which keys are in the folders here, which the store trusts, and for what. */
import { recallState } from '../storage/accepted-state.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { loadStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import type { VerifiedMetadata } from '../storage/verified-metadata.ts';
import type { StoreErrorCode } from '../store-error.ts';
import { readKeyFolders } from './key-folder.ts';
import type { ReaderOptions } from './publisher-options.ts';

/** How a private key is kept. */
export type KeyForm = 'plain' | 'encrypted' | 'command';

export interface KeyFileInfo {
  /** File name without folder and ending. */
  readonly name: string;
  readonly path: string;
  readonly keyId: string;
  readonly publicHex: string;
  readonly form: KeyForm;
  /** Roles that the store gives the key. */
  readonly roles: readonly string[];
}

export interface RoleKeysInfo {
  readonly role: string;
  readonly threshold: number;
  readonly keyIds: readonly string[];
  /** `YYYY-MM-DDThh:mm:ssZ` */
  readonly expires: string;
}

export interface UnusableKeyInfo {
  readonly path: string;
  readonly code: StoreErrorCode;
  /** What is wrong with the file and what to do. */
  readonly problem: string;
}

export interface KeyListing {
  readonly files: readonly KeyFileInfo[];
  /** Files that count for nothing until they are mended. */
  readonly unusable: readonly UnusableKeyInfo[];
  /** Every role of the store, in the order of trust. */
  readonly roles: readonly RoleKeysInfo[];
}

export interface ListKeysOptions extends ReaderOptions {
  readonly keysFolders: readonly string[];
}

/** Codes: those of opening a store. An expired store is listed all the same: it is keys that mend it. */
export async function listKeys(options: ListKeysOptions): Promise<KeyListing> {
  const source = new FolderSource(options.folder);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const accepted = await recallState(options.stateFolder, pinnedRoot);
  const { nowMs } = options;
  const { metadata } = await loadStore({ source, pinnedRoot, accepted, nowMs, expired: 'tolerated' });
  const found = await readKeyFolders(options.keysFolders);
  const files = found.files.map(({ name, path, keyId, publicHex, secret }): KeyFileInfo => {
    return { name, path, keyId, publicHex, form: secret.form, roles: rolesOf(metadata, keyId) };
  });
  const unusable = found.unusable.map(({ path, error }): UnusableKeyInfo => {
    return { path, code: error.code, problem: error.message };
  });
  const roles = [...metadata.roles].map(([role, { keys, expires }]) => {
    return { role, threshold: keys.threshold, keyIds: [...keys.keys.keys()].sort(), expires };
  });
  return { files, unusable, roles };
}

function rolesOf(metadata: VerifiedMetadata, keyId: string): readonly string[] {
  return [...metadata.roles].filter(([, { keys }]) => keys.keys.has(keyId)).map(([role]) => role);
}
