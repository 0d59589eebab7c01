/** What a store holds, after all of it was verified from the pinned root. Reads only; needs no key. */
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { recallState } from '../storage/accepted-state.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { loadAndAuditStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import type { ReaderOptions } from './publisher-options.ts';

export type StatusOptions = ReaderOptions;

export interface StoreStatus {
  readonly snapshot: StoreSnapshot;
  /** In the order of trust, root first. `expires` is `YYYY-MM-DDThh:mm:ssZ`. */
  readonly roles: readonly { readonly role: string; readonly version: number; readonly expires: string }[];
}

export async function readStatus(options: StatusOptions): Promise<StoreStatus> {
  const source = new FolderSource(options.folder);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const accepted = await recallState(options.stateFolder, pinnedRoot);
  const { snapshot, metadata } = await loadAndAuditStore({
    source,
    pinnedRoot,
    accepted,
    nowMs: options.nowMs,
  });
  const roles = [...metadata.roles].map(([role, { version, expires }]) => ({ role, version, expires }));
  return { snapshot, roles };
}
