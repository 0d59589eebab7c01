/**
 * Where each of several processes of a node remembers what it accepted of the store: a folder of its own, because only one
 * process may write there. A process begins with the newest memory that any process of the node left, so that neither a
 * restart nor another number of processes lets the store be rolled back.
 *
 *     <state>/...               of a node that is one process
 *     <state>/process-0/...     of the first of several, and so on
 */
import { copyFile, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

const folderPattern = /^process-\d+$/;
/** What the store remembers (registry-store/storage/accepted-state.ts), the memory itself last. */
const keptFolder = 'kept';
const memoryFiles = ['memory-copy.json', 'memory.json'] as const;
const rolloutsFile = 'rollouts.json';

/** `slot` undefined: of a node that is one process. */
export function processStateFolder(state: string, slot: number | undefined): string {
  return slot === undefined ? state : join(state, `process-${slot}`);
}

/** Call it before anything is read from the folder, while no process works in it. */
export async function takeOverNewestState(state: string, folder: string): Promise<void> {
  const names = await readdir(state).catch(() => []);
  const folders = [
    state,
    ...names.filter((name) => folderPattern.test(name)).map((name) => join(state, name)),
  ];
  const memory = await newestWith(memoryFiles[1], folders);
  if (memory !== undefined && memory !== folder) {
    for (const name of await readdir(join(memory, keptFolder)).catch(() => [])) {
      await copyWhole(join(memory, keptFolder), join(folder, keptFolder), name);
    }
    for (const name of memoryFiles) await copyWhole(memory, folder, name);
  }
  const rollouts = await newestWith(rolloutsFile, folders);
  if (rollouts !== undefined && rollouts !== folder) await copyWhole(rollouts, folder, rolloutsFile);
}

/** The folder whose file of that name was written last; undefined when none has it. */
async function newestWith(name: string, folders: readonly string[]): Promise<string | undefined> {
  let newest: { readonly folder: string; readonly writtenMs: number } | undefined;
  for (const folder of folders) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found !== undefined && found.mtimeMs > (newest?.writtenMs ?? -Infinity)) {
      newest = { folder, writtenMs: found.mtimeMs };
    }
  }
  return newest?.folder;
}

/** A file that its owner replaces meanwhile is copied as it was or as it is; one that it removes is not needed. */
async function copyWhole(from: string, to: string, name: string): Promise<void> {
  await mkdir(to, { recursive: true });
  const draft = join(to, `${name}.taken-over`);
  try {
    await copyFile(join(from, name), draft);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  await rename(draft, join(to, name));
}
