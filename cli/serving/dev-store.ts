/**
 * The store that `serve --dev` works on when there is none: keys of its own beside it, and the demo models published
 * and deployed by the same functions that the commands use. An existing store is left alone.
 */
import { existsSync } from 'node:fs';
import { readFile, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type DemoModel, demoModels } from '../../deploy/demo/demo-models.ts';
import {
  type PublishOptions,
  StoreError,
  deployModel,
  initStore,
  publishModel,
} from '../../registry-store/main.ts';
import { systemCode } from '../../registry-store/store-error.ts';
import { userName } from '../options/store-options.ts';

export interface DevStoreOptions {
  readonly store: string;
  readonly keys: string;
  /** One line for each step, for a person who waits. */
  readonly progress: (line: string) => void;
}

/** Before the process number in the name of a folder that is being made. */
const draftMark = '.making-';
/** The other process is between two renames, not more. */
const appearsWithinMs = 500;
const appearsEveryMs = 20;

/**
 * Both folders are made aside under names of this process and renamed into place when they are whole. So an interrupted
 * start leaves drafts and nothing else, and nothing is ever removed that this command did not make.
 * Codes: STORE_EXISTS when there are keys without their store.
 */
export async function prepareDevStore(options: DevStoreOptions): Promise<void> {
  const { progress } = options;
  const [folder, keysFolder] = [resolve(options.store), resolve(options.keys)];
  if (existsSync(folder)) return;
  await requireNoKeys(options);
  await Promise.all([folder, keysFolder].map(removeDeadDrafts));
  const draft = { folder: draftOf(folder), keysFolder: draftOf(keysFolder) };
  try {
    progress(`Making a store in ${options.store} with keys of its own in ${options.keys}`);
    await build(draft, progress);
    // The keys first: keys without a store say what is wrong, a store without its keys could only be thrown away.
    await rename(draft.keysFolder, keysFolder);
    await rename(draft.folder, folder);
  } catch (error) {
    if (!isTaken(error) || !(await appears(folder))) throw error;
    progress('Another process made the store meanwhile');
  } finally {
    await Promise.all(Object.values(draft).map(remove));
  }
}

async function build(
  { folder, keysFolder }: { readonly folder: string; readonly keysFolder: string },
  progress: (line: string) => void,
): Promise<void> {
  const actor = userName();
  await initStore({ folder, keysFolders: [keysFolder], nowMs: Date.now(), actor });
  for (const demo of demoModels()) {
    progress(`Publishing and deploying ${demo.name} ${demo.version}`);
    const publisher = { folder, keysFolders: [keysFolder], nowMs: Date.now(), actor, why: 'demo' };
    await publishModel({ ...publisher, ...publication(demo), artifact: await readFile(demo.file) });
    // In order of version, so that the last one is live and the one before it is kept for going back.
    await deployModel({ ...publisher, model: demo.name, version: demo.version });
  }
}

/** Keys whose store is elsewhere, or gone, are somebody's keys. */
async function requireNoKeys({ store, keys }: DevStoreOptions): Promise<void> {
  if (!existsSync(keys) || (await readdir(keys)).length === 0) return;
  // Between the two renames of another process the keys are there and the store is not yet.
  if (await appears(store)) return;
  throw new StoreError(
    'STORE_EXISTS',
    `There are keys in ${keys} already, and no store in ${store} that they could belong to; nothing was changed. Name the store they belong to with --store, or another folder with --keys; or move ${keys} away, then both are made anew.`,
  );
}

function draftOf(folder: string): string {
  return `${folder}${draftMark}${process.pid}`;
}

/** Drafts of processes that are gone, killed while they made a store. */
async function removeDeadDrafts(folder: string): Promise<void> {
  const parent = dirname(folder);
  const start = `${basename(folder)}${draftMark}`;
  const names = await readdir(parent).catch((): string[] => []);
  const drafts = names.filter(
    (name) => name.startsWith(start) && /^[1-9]\d*$/.test(name.slice(start.length)),
  );
  for (const name of drafts) {
    if (!isAlive(Number(name.slice(start.length)))) await remove(join(parent, name));
  }
}

/** A draft under our own number is one of an earlier process: numbers come back, in containers always. */
function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

function isTaken(error: unknown): boolean {
  return ['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '');
}

/** Whether the other process that has put its keys in place puts its store there too. */
async function appears(folder: string): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < appearsWithinMs; waitedMs += appearsEveryMs) {
    if (existsSync(folder)) return true;
    await wait(appearsEveryMs);
  }
  return existsSync(folder);
}

function remove(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true });
}

function publication({
  metadata,
}: DemoModel): Pick<
  PublishOptions,
  'model' | 'version' | 'framework' | 'author' | 'description' | 'metrics' | 'tags'
> {
  const { name, version, framework, author, description, metrics, tags } = metadata;
  return {
    model: name,
    version,
    framework,
    author,
    description,
    metrics: new Map(Object.entries(metrics)),
    tags,
  };
}
