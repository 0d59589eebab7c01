/**
 * Signers from key files. A key is found by what it is, not by what its file is called, so one folder may hold several
 * keys for a role, one key may serve several roles, and the keys for one run may lie in several folders.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StoreError, isStoreError, systemCode } from '../store-error.ts';
import type { RoleKeys } from '../trust/role-keys.ts';
import { type SigningCommand } from './command-signer.ts';
import {
  type KeyFile,
  type KeyHeader,
  keyFile,
  keyFileEnding,
  keyNameRule,
  makeCommandKeyFile,
  makeKeyFile,
  openKey,
  readKeyFile,
} from './key-file.ts';
import { familyRole } from './metadata-content.ts';
import type { PassphraseSource, Signer, SignerProvider } from './signer.ts';

/** The copy of the first root that init leaves beside the keys, to be carried to every node. */
export function pinnedRootFile(keysFolder: string): string {
  return join(keysFolder, 'root.json');
}

export interface CreateKeyOptions {
  readonly keysFolder: string;
  /** File name without folder and ending. */
  readonly name: string;
  /** When given, the key is encrypted under what it answers. */
  readonly passphrase?: PassphraseSource;
  /** A key that something else holds, and the command that signs with it. Then no key is made. */
  readonly command?: SigningCommand & { readonly publicHex: string };
}

export interface CreatedKey extends KeyHeader {
  readonly path: string;
}

/** Makes a key that no role has yet; `grantKey` gives it to one. Codes: INVALID_ARGUMENT, STORE_EXISTS. */
export async function createKey(options: CreateKeyOptions): Promise<CreatedKey> {
  const { keysFolder, name, passphrase, command } = options;
  if (!keyNameRule.pattern.test(name) || name.length > keyNameRule.lengthMax) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      `The key name ${JSON.stringify(name)} is not usable: letters, digits, dot, underscore, hyphen.`,
    );
  }
  if (command !== undefined && !/^[0-9a-f]{64}$/.test(command.publicHex)) {
    throw new StoreError('INVALID_ARGUMENT', 'A public key is 32 bytes in lower-case hex.');
  }
  const path = keyFile(keysFolder, name);
  try {
    await mkdir(keysFolder, { recursive: true, mode: 0o700 });
    const header =
      command === undefined
        ? await makeKeyFile(path, passphrase)
        : await makeCommandKeyFile(path, { publicHex: command.publicHex, command });
    return { ...header, path };
  } catch (error) {
    const code = systemCode(error);
    // Not of the system: a person who gave up while being asked for a passphrase, or a fault of this program.
    if (isStoreError(error) || code === undefined) throw error;
    throw new StoreError('FILE_UNREADABLE', `${path} cannot be made (${code}).`, { cause: error });
  }
}

/** Reads the folders when first asked, and unlocks each key once. */
export class KeyFolderSigners implements SignerProvider {
  readonly #keysFolders: readonly string[];
  readonly #passphrase: PassphraseSource | undefined;
  readonly #opened = new Map<string, Promise<Signer>>();

  constructor(options: { readonly keysFolders: readonly string[]; readonly passphrase?: PassphraseSource }) {
    this.#keysFolders = options.keysFolders;
    this.#passphrase = options.passphrase;
  }

  async signersFor(keys: RoleKeys): Promise<readonly Signer[]> {
    const found = new Map<string, KeyFile>();
    for (const folder of this.#keysFolders) {
      for (const path of await keyPaths(folder)) {
        if (found.size >= keys.threshold) break;
        const file = await this.#readKey(path, keys.role);
        if (file !== undefined && keys.keys.has(file.keyId)) found.set(file.keyId, file);
      }
    }
    if (found.size === 0) await this.#refuseStranger(keys);
    return Promise.all([...found.values()].map((file) => this.#open(file)));
  }

  /** A spoiled key of another role is none of this role's business. */
  async #readKey(path: string, role: string): Promise<KeyFile | undefined> {
    try {
      return await readKeyFile(path);
    } catch (error) {
      if (!isStoreError(error) || this.#ownPaths(role).includes(path)) throw error;
      return undefined;
    }
  }

  /** Where init puts the key of a role; roles of models share that of `models`. */
  #ownPaths(role: string): readonly string[] {
    return this.#keysFolders.flatMap((folder) => [keyFile(folder, role), keyFile(folder, familyRole(role))]);
  }

  #open(file: KeyFile): Promise<Signer> {
    const opened = this.#opened.get(file.path) ?? openKey(file, this.#passphrase);
    this.#opened.set(file.path, opened);
    // A wrong passphrase may be typed again.
    opened.catch(() => this.#opened.delete(file.path));
    return opened;
  }

  /** The file is named after the role and holds another key: not "missing", and worth a word of its own. */
  async #refuseStranger({ role }: RoleKeys): Promise<void> {
    for (const path of this.#ownPaths(role)) {
      if ((await readKeyFile(path)) === undefined) continue;
      throw new StoreError(
        'KEY_UNSAFE',
        `${path} is not the key that this store trusts for ${role}. Use the keys folder that belongs to the store.`,
      );
    }
  }
}

export interface KeyFolderContent {
  /** Sorted by path. */
  readonly files: readonly KeyFile[];
  /** Files that are there and cannot be used, each with what is wrong: read by others, damaged, no key. */
  readonly unusable: readonly { readonly path: string; readonly error: StoreError }[];
}

/** Every key file of these folders, folder by folder. Throws FILE_UNREADABLE when a folder cannot be read. */
export async function readKeyFolders(folders: readonly string[]): Promise<KeyFolderContent> {
  const files: KeyFile[] = [];
  const unusable: { readonly path: string; readonly error: StoreError }[] = [];
  for (const folder of folders) {
    for (const path of await keyPaths(folder)) {
      try {
        const file = await readKeyFile(path);
        if (file !== undefined) files.push(file);
      } catch (error) {
        if (!isStoreError(error)) throw error;
        unusable.push({ path, error });
      }
    }
  }
  return { files, unusable };
}

async function keyPaths(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => name.endsWith(keyFileEnding))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new StoreError('FILE_UNREADABLE', `${folder} cannot be read (${systemCode(error) ?? 'unknown'}).`, {
      cause: error,
    });
  }
}
