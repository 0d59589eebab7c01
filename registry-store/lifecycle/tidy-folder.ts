/**
 * Removes what no reader needs any more: metadata superseded some versions ago, what an interrupted publish left, and
 * the files only those list. Everything it removes was verified first; an unknown file is refused, never removed.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { accept } from '../store-error.ts';
import type { FolderSource } from '../storage/folder-source.ts';
import { type VerifiedMetadata, bytesMaxOf, signedBytes } from '../storage/metadata-chain.ts';
import { parseTargets } from '../trust/signed-content.ts';
import { benchFolder, classifyStoreFile, targetFile } from '../trust/store-file.ts';

/** Superseded versions that stay, so that a reader in the middle of a refresh finds what it was told of. */
const supersededMax = 8;

/** For the holder of the publisher's lock only. A crash in the middle leaves a folder that still verifies. */
export async function tidyFolder(source: FolderSource, metadata: VerifiedMetadata): Promise<void> {
  await clearBench(source.folder);
  const kept = new Set([...metadata.targets.values()].map(targetFile));
  const unlisted = new Set<string>();
  const retired: string[] = [];
  for (const path of await source.list()) {
    const file = classifyStoreFile(path);
    if (file?.kind !== 'metadata' || file.role === 'root') continue;
    const role = metadata.roles.get(file.role);
    if (role === undefined) continue;
    const isKept = file.version <= role.version && file.version > role.version - 1 - supersededMax;
    if (!isKept) retired.push(path);
    if (!metadata.listedBy.has(file.role)) continue;
    const bytes = (await source.read(path, bytesMaxOf(file.role))) ?? new Uint8Array();
    const { targets } = accept(parseTargets(signedBytes(bytes, role.keys, path), path));
    for (const target of targets.values()) (isKept ? kept : unlisted).add(targetFile(target));
  }
  // Files before the metadata that lists them: the other way round a crash would leave files that nothing lists.
  for (const path of [...unlisted].filter((listed) => !kept.has(listed))) {
    await rm(join(source.folder, path), { force: true });
  }
  for (const path of retired) await rm(join(source.folder, path), { force: true });
}

/** Drafts and dead locks; the lock of this holder stays. */
async function clearBench(folder: string): Promise<void> {
  const bench = join(folder, benchFolder);
  for (const name of await readdir(bench)) {
    if (name !== 'lock') await rm(join(bench, name), { recursive: true, force: true });
  }
}
