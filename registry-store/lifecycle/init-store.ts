/**
 * Makes a new store and its keys: one key per role, first version of every metadata file, an empty deployment manifest.
 * Both folders are made aside and renamed into place whole, so an interrupted init leaves nothing that looks like a
 * store.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { nothingAccepted } from '../storage/accepted-state.ts';
import { flushFolder, writeDurably } from '../storage/durable-file.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { loadAndAuditStore } from '../storage/load-store.ts';
import { timeText } from '../storage/verified-metadata.ts';
import type { FilePin } from '../trust/signed-content.ts';
import { metadataFile, targetFile } from '../trust/store-file.ts';
import { KeyFolderSigners, createKey, pinnedRootFile } from './key-folder.ts';
import { roleKeysOf } from './key-tables.ts';
import { type Profile, type StoreRole, lifetimesS, storeRoles } from './lifetimes.ts';
import { firstManifestFiles } from './manifest-file.ts';
import {
  type KeySet,
  firstContent,
  pinOf,
  rootContent,
  snapshotMeta,
  targetsContent,
  timestampMeta,
  topTargetsContent,
} from './metadata-content.ts';
import { type SignedJson, requireSigners, signFile } from './signed-file.ts';
import { homeFolder } from './publisher-options.ts';
import type { PassphraseSource } from './signer.ts';
import { asStoreError } from './store-editor.ts';

export interface InitOptions {
  readonly folder: string;
  /** The first gets the keys and the pinned root; it must not hold any yet. */
  readonly keysFolders: readonly string[];
  readonly nowMs: number;
  /** Who makes the store; stands in its history. */
  readonly actor: string;
  readonly why?: string;
  /** How long signed content is believed: `local` for a folder on the node itself, `fleet` for a store that is fetched. Default `local`. */
  readonly profile?: Profile;
  /** How many root keys are made, each to be carried to somebody else. Default 1, at most 16. */
  readonly rootKeys?: number;
  /** How many of them it takes to change keys. Default 1. */
  readonly rootThreshold?: number;
  /** When given, every key is encrypted under what it answers. */
  readonly passphrase?: PassphraseSource;
}

export interface InitResult {
  /** The root of trust to carry to every node. */
  readonly pinnedRootPath: string;
  readonly roles: readonly StoreRole[];
  /** Names of the key files that were made, without folder and ending. */
  readonly keys: readonly string[];
}

const rootKeysMax = 16;

/** Codes: STORE_EXISTS, INVALID_ARGUMENT, FILE_UNREADABLE. */
export async function initStore(options: InitOptions): Promise<InitResult> {
  const folder = resolve(options.folder);
  const keysFolder = resolve(homeFolder(options));
  const suffix = `.init-${randomUUID().slice(0, 8)}`;
  const drafts = { folder: folder + suffix, keysFolder: keysFolder + suffix };
  const keyNames = keyNamesOf(options);
  try {
    await requireEmpty(folder, 'There is a store');
    await requireEmpty(keysFolder, 'There are keys');
    await build({ ...options, ...drafts }, keyNames);
    await putInPlace(drafts.keysFolder, keysFolder);
    await putInPlace(drafts.folder, folder);
  } catch (error) {
    throw asStoreError(error, folder);
  } finally {
    await rm(drafts.folder, { recursive: true, force: true });
    await rm(drafts.keysFolder, { recursive: true, force: true });
  }
  const pinnedRootPath = pinnedRootFile(homeFolder(options));
  return { pinnedRootPath, roles: storeRoles, keys: [...keyNames.values()].flat() };
}

/** Files for each role: named after it, and numbered where there are several. */
function keyNamesOf(options: InitOptions): ReadonlyMap<StoreRole, readonly string[]> {
  const { rootKeys = 1, rootThreshold = 1 } = options;
  const isCount = Number.isInteger(rootKeys) && rootKeys >= 1 && rootKeys <= rootKeysMax;
  if (!isCount || !Number.isInteger(rootThreshold) || rootThreshold < 1 || rootThreshold > rootKeys) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      `A store has 1 to ${rootKeysMax} root keys, and its root threshold is between 1 and their number.`,
    );
  }
  const numbered = Array.from({ length: rootKeys }, (_, index) => `root-${index + 1}`);
  return new Map(storeRoles.map((role) => [role, role === 'root' && rootKeys > 1 ? numbered : [role]]));
}

type BuildOptions = InitOptions & { readonly keysFolder: string };

async function build(
  options: BuildOptions,
  keyNames: ReadonlyMap<StoreRole, readonly string[]>,
): Promise<void> {
  const { folder, keysFolder, nowMs, passphrase } = options;
  const keySets = new Map<StoreRole, KeySet>();
  for (const [role, names] of keyNames) {
    const keys = new Map<string, string>();
    for (const name of names) {
      const key = await createKey({ keysFolder, name, ...(passphrase !== undefined && { passphrase }) });
      keys.set(key.keyId, key.publicHex);
    }
    keySets.set(role, { threshold: role === 'root' ? (options.rootThreshold ?? 1) : 1, keys });
  }
  const files = await initialFiles(options, keySets);
  for (const [path, bytes] of files) await writeDurably(join(folder, path), bytes);
  const root = files.get(metadataFile('root', 1)) ?? new Uint8Array();
  await writeDurably(pinnedRootFile(keysFolder), root);
  await loadAndAuditStore({
    source: new FolderSource(folder),
    pinnedRoot: root,
    accepted: nothingAccepted,
    nowMs,
  });
}

async function initialFiles(
  options: BuildOptions,
  keySets: ReadonlyMap<StoreRole, KeySet>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { nowMs, actor, why = 'New store.' } = options;
  const lifetimes = lifetimesS(options.profile ?? 'local');
  const provider = new KeyFolderSigners({
    keysFolders: [options.keysFolder],
    ...(options.passphrase !== undefined && { passphrase: options.passphrase }),
  });
  const files = new Map<string, Uint8Array>();
  const head = (role: StoreRole, type: string = role): SignedJson => {
    const issue = { version: 1, expires: timeText(nowMs + lifetimes[role] * 1000) };
    return firstContent(type, issue, lifetimes[role]);
  };
  const add = async (role: StoreRole, content: SignedJson): Promise<FilePin> => {
    const keys = roleKeysOf(role, keySets.get(role) ?? { threshold: 1, keys: new Map() });
    const bytes = await signFile(content, await requireSigners(provider, keys));
    files.set(metadataFile(role, 1), bytes);
    return pinOf(1, bytes);
  };
  const at = new Date(nowMs).toISOString();
  const manifest = firstManifestFiles({ revision: 1, at, by: actor, why, action: 'init', changes: [] });
  for (const { target, bytes } of manifest) files.set(targetFile(target), bytes);
  const listed = manifest.map(({ target }) => target);

  await add('root', rootContent(head('root'), keySets));
  const pins = new Map([
    ['deployments', await add('deployments', targetsContent(head('deployments', 'targets'), listed))],
    ['models', await add('models', targetsContent(head('models', 'targets'), []))],
    ['targets', await add('targets', topTargetsContent(head('targets'), keySets))],
  ]);
  const snapshot = await add('snapshot', { ...head('snapshot'), meta: snapshotMeta(pins) });
  await add('timestamp', { ...head('timestamp'), meta: timestampMeta(snapshot) });
  return files;
}

async function requireEmpty(folder: string, found: string): Promise<void> {
  try {
    if ((await readdir(folder)).length === 0) return;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  throw new StoreError(
    'STORE_EXISTS',
    `${found} in ${folder} already. Name another folder, or remove this one if nobody needs it.`,
  );
}

async function putInPlace(draft: string, folder: string): Promise<void> {
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  await rename(draft, folder);
  await flushFolder(parent);
}
