/**
 * What every change does after itself: each role it wrote has one superseded version too many now, and that goes, with
 * the files only that version lists. It costs the same however large the store is; everything else is for the sweep.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { accept } from '../store-error.ts';
import type { FolderSource } from '../storage/folder-source.ts';
import { type VerifiedMetadata, signedBytes } from '../storage/verified-metadata.ts';
import { parseTargets } from '../trust/signed-content.ts';
import { bytesMaxOf, classifyStoreFile, metadataFile, targetFile } from '../trust/store-file.ts';

/** Superseded versions that stay, so that a reader in the middle of a refresh finds what it was told of. */
export const supersededMax = 8;

export async function retireSuperseded(
  source: FolderSource,
  change: { readonly metadata: VerifiedMetadata; readonly written: readonly string[] },
): Promise<void> {
  const { metadata } = change;
  const current = new Set<string>();
  for (const path of change.written) {
    const file = classifyStoreFile(path);
    if (file?.kind !== 'metadata' || file.role === 'root') continue;
    const { role, version } = file;
    const retired = metadataFile(role, version - supersededMax - 1);
    if (version - supersededMax < 2) continue;
    // Model files are only ever added, so what a superseded version lists the current one lists too.
    if (role === 'deployments') {
      if (current.size === 0) for (const target of metadata.targets.values()) current.add(targetFile(target));
      const kept = await listedIn(source, {
        metadata,
        role,
        path: metadataFile(role, version - supersededMax),
      });
      const unlisted = await listedIn(source, { metadata, role, path: retired });
      // Files before the metadata that lists them: the other way round a crash would leave files that nothing lists.
      for (const target of unlisted) {
        if (!kept.has(target) && !current.has(target)) await rm(join(source.folder, target), { force: true });
      }
    }
    await rm(join(source.folder, retired), { force: true });
  }
}

/** Paths in the store of the targets that a superseded file lists; none when it is not there. */
async function listedIn(
  source: FolderSource,
  file: { readonly metadata: VerifiedMetadata; readonly role: string; readonly path: string },
): Promise<ReadonlySet<string>> {
  const { metadata, role, path } = file;
  const keys = metadata.roles.get(role)?.keys;
  const bytes = await source.read(path, bytesMaxOf(role));
  if (keys === undefined || bytes === undefined) return new Set();
  const { targets } = accept(parseTargets(signedBytes(bytes, keys, path), path));
  return new Set([...targets.values()].map(targetFile));
}
