/**
 * The store behind the control API. Looks show what the node serves, which is verified and costs nothing; only after a
 * change that was made here and is not served yet they read the store itself, so that whoever changed something sees
 * it.
 */
import { type StoreSnapshot, readHistory, readStatus } from '../../registry-store/main.ts';
import type { HistoryEvent, PassphraseSource } from '../../registry-store/main.ts';
import { readKeyFolders } from '../../registry-store/lifecycle/key-folder.ts';
import { StoreAccess } from '../../registry-store/platform/store-access.ts';
import type { HistoryRequest } from './control-requests.ts';

export interface ControlStoreOptions {
  /** A folder, or the address of one on a file server. */
  readonly source: string;
  /** Folders that may hold signing keys, the first with the publisher's memory. */
  readonly keysFolders: readonly string[];
  readonly pinnedRootPath: string;
  /** What this node remembers of the store. */
  readonly stateFolder: string;
  /** The state that the node serves. */
  readonly current: () => StoreSnapshot;
  /** Opens keys that are locked; without it they cannot be used. */
  readonly passphrase?: PassphraseSource;
  /** Told of each key file that cannot be used, and why. */
  readonly reportKey?: (trouble: string) => void;
}

export interface ControlStore {
  /** With every change that was made here. Rejects with a StoreError. */
  snapshot(): Promise<StoreSnapshot>;
  /** As the store is now, also where others change it; tens of milliseconds of work. Rejects with a StoreError. */
  verified(): Promise<StoreSnapshot>;
  /** A change was made here; looks show it from now on. */
  changedTo(revision: number): void;
  /** Undefined where the store is not a folder: a file server has no history that could be read cheaply. */
  readonly history: ((request: HistoryRequest) => Promise<readonly HistoryEvent[]>) | undefined;
  /** Undefined on a node that may not change the store. */
  readonly access: StoreAccess | undefined;
}

/** Looks for keys once: a node that is given some later has to be started again. Codes: FILE_UNREADABLE. */
export async function openControlStore(
  options: ControlStoreOptions,
  { lockWaitMs }: { readonly lockWaitMs: number },
): Promise<ControlStore> {
  const { source: folder, pinnedRootPath, stateFolder, keysFolders, passphrase } = options;
  const isFolder = !/^https?:\/\//i.test(folder);
  const hasKeys = isFolder && (await holdsSigningKey(keysFolders, options.reportKey));
  const access = hasKeys
    ? new StoreAccess({
        store: folder,
        keys: keysFolders,
        root: pinnedRootPath,
        lockWaitMs,
        ...(passphrase !== undefined && { passphrase }),
      })
    : undefined;
  let changedTo = 0;
  const verified = async (): Promise<StoreSnapshot> =>
    access === undefined ? options.current() : (await readStatus(access.reader())).snapshot;
  return {
    verified,
    snapshot: async () => {
      const served = options.current();
      return served.revision >= changedTo ? served : verified();
    },
    changedTo: (revision) => {
      changedTo = Math.max(changedTo, revision);
    },
    history: isFolder
      ? ({ model, fromRevision, limit }) =>
          readHistory({
            ...(access?.reader() ?? { folder, pinnedRootPath, stateFolder, nowMs: Date.now() }),
            limit,
            ...(model !== undefined && { model }),
            ...(fromRevision !== undefined && { fromRevision }),
          })
      : undefined,
    access,
  };
}

/** Keys that cannot be used are keys all the same: what needs one of them says what is wrong with it. */
async function holdsSigningKey(
  keysFolders: readonly string[],
  report: ((trouble: string) => void) | undefined,
): Promise<boolean> {
  const { files, unusable } = await readKeyFolders(keysFolders);
  for (const { error } of unusable) report?.(error.message);
  return files.length + unusable.length > 0;
}
