/**
 * Makes a new store and its keys: one key per role, first version of every metadata file, an empty deployment manifest.
 * Both folders are made aside and renamed into place whole, so an interrupted init leaves nothing that looks like a store.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StoreError, systemCode } from '../store-error.ts';
import { nothingAccepted } from '../storage/accepted-state.ts';
import { flushFolder, writeDurably } from '../storage/durable-file.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { loadAndAuditStore } from '../storage/load-store.ts';
import { timeText } from '../storage/metadata-chain.ts';
import type { FilePin } from '../trust/signed-content.ts';
import { metadataFile, targetFile } from '../trust/store-file.ts';
import { asStoreError } from './change-store.ts';
import { type Signer, createKeys, pinnedRootFile } from './key-folder.ts';
import { manifestFile } from './manifest-file.ts';
import {
  type Issue,
  type StoreRole,
  delegatingContent,
  lifetimeMs,
  pinOf,
  rootContent,
  snapshotContent,
  storeRoles,
  targetsContent,
  timestampContent,
} from './metadata-content.ts';
import { type SignedJson, signFile } from './signed-file.ts';

export interface InitOptions {
  readonly folder: string;
  readonly keysFolder: string;
  readonly nowMs: number;
  /** Who makes the store; stands in the deployment manifest. */
  readonly actor: string;
}

export interface InitResult {
  /** The root of trust to carry to every node. */
  readonly pinnedRootPath: string;
  readonly roles: readonly StoreRole[];
}

export async function initStore(options: InitOptions): Promise<InitResult> {
  const folder = resolve(options.folder);
  const keysFolder = resolve(options.keysFolder);
  const suffix = `.init-${randomUUID().slice(0, 8)}`;
  const drafts = { folder: folder + suffix, keysFolder: keysFolder + suffix };
  try {
    await requireEmpty(folder, 'a store');
    await requireEmpty(keysFolder, 'keys');
    await build({ ...options, ...drafts });
    await putInPlace(drafts.keysFolder, keysFolder);
    await putInPlace(drafts.folder, folder);
  } catch (error) {
    throw asStoreError(error, folder);
  } finally {
    await rm(drafts.folder, { recursive: true, force: true });
    await rm(drafts.keysFolder, { recursive: true, force: true });
  }
  return { pinnedRootPath: pinnedRootFile(options.keysFolder), roles: storeRoles };
}

async function build(options: InitOptions): Promise<void> {
  const { folder, keysFolder, nowMs } = options;
  const signers = await createKeys(keysFolder, storeRoles);
  const files = initialFiles(options, signers);
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

function initialFiles(
  options: InitOptions,
  signers: ReadonlyMap<StoreRole, Signer>,
): ReadonlyMap<string, Uint8Array> {
  const { nowMs, actor } = options;
  const files = new Map<string, Uint8Array>();
  const issue = (role: StoreRole): Issue => ({ version: 1, expires: timeText(nowMs + lifetimeMs[role]) });
  const add = (role: StoreRole, content: SignedJson): FilePin => {
    const bytes = signFile(
      content,
      [...signers].filter(([name]) => name === role).map(([, signer]) => signer),
    );
    files.set(metadataFile(role, 1), bytes);
    return pinOf(1, bytes);
  };
  const changed = { at: new Date(nowMs).toISOString(), by: actor, why: 'New store.' };
  const manifest = manifestFile({ revision: 1, changed, deployments: new Map() });
  files.set(targetFile(manifest.target), manifest.bytes);

  add('root', rootContent(issue('root'), signers));
  const pins = new Map([
    ['deployments', add('deployments', targetsContent(issue('deployments'), [manifest.target]))],
    ['models', add('models', targetsContent(issue('models'), []))],
    ['targets', add('targets', delegatingContent(issue('targets'), signers))],
  ]);
  const snapshot = add('snapshot', snapshotContent(issue('snapshot'), pins));
  add('timestamp', timestampContent(issue('timestamp'), snapshot));
  return files;
}

async function requireEmpty(folder: string, what: string): Promise<void> {
  try {
    if ((await readdir(folder)).length === 0) return;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  throw new StoreError(
    'STORE_EXISTS',
    `There is ${what} in ${folder} already. Name another folder, or remove this one if nobody needs it.`,
  );
}

async function putInPlace(draft: string, folder: string): Promise<void> {
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  await rename(draft, folder);
  await flushFolder(parent);
}
