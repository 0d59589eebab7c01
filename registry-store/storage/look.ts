/**
 * One look of a node at its store: an order of plain data in, the verified content as plain data out, so that it can be
 * carried out in a thread of its own. Verifying takes time that grows with the store; serving must not wait for it.
 */
import { Worker } from 'node:worker_threads';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { StoreError, type StoreErrorCode, isStoreError, systemCode } from '../store-error.ts';
import type { StoreCheck } from '../trust/check.ts';
import { targetFile } from '../trust/store-file.ts';
import type { VersionFloor } from '../trust/version-floor.ts';
import type { AcceptedState } from './accepted-state.ts';
import { auditTarget } from './folder-audit.ts';
import { FolderSource } from './folder-source.ts';
import { loadAndAuditStore, loadStore } from './load-store.ts';
import { floorOf } from './metadata-chain.ts';

export interface LookOrder {
  readonly folder: string;
  readonly pinnedRoot: Uint8Array;
  readonly accepted: AcceptedState;
  readonly nowMs: number;
  /** `all` reads every file of the folder; otherwise only models whose path in the store is not among these. */
  readonly models: 'all' | { readonly except: ReadonlySet<string> };
}

export interface Look {
  readonly snapshot: StoreSnapshot;
  /** The metadata files in force, by path in the store. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly floor: VersionFloor;
}

/** What a thread says when it is done. */
export type LookOutcome =
  | { readonly ok: true; readonly look: Look }
  | {
      readonly ok: false;
      readonly code: StoreErrorCode;
      readonly check: StoreCheck | undefined;
      readonly message: string;
    };

/** Rejects with a StoreError when what is there does not verify or cannot be read. */
export async function look(order: LookOrder): Promise<Look> {
  const { folder, models, ...rest } = order;
  const options = { ...rest, source: new FolderSource(folder) };
  const loaded = await (models === 'all' ? loadAndAuditStore(options) : loadStore(options));
  if (models !== 'all') {
    // Files that were there before are checked again when they are read; new ones must be whole before they count.
    for (const target of loaded.metadata.targets.values()) {
      if (!models.except.has(targetFile(target))) await auditTarget(options.source, target);
    }
  }
  const { snapshot, metadata } = loaded;
  return { snapshot, files: metadata.files, floor: floorOf(metadata.roles) };
}

/** The same in a thread that lives as long as the look; `threadFile` is the compiled look-thread. */
export function lookInThread(order: LookOrder, threadFile: URL): Promise<Look> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(threadFile, { workerData: order });
    worker.once('message', (outcome: LookOutcome) => {
      if (outcome.ok) resolve(outcome.look);
      else reject(new StoreError(outcome.code, outcome.message, checkOption(outcome.check)));
    });
    worker.once('error', (error) => {
      reject(unexpected(error));
    });
    worker.once('exit', (code) => {
      reject(new StoreError('FILE_UNREADABLE', `The thread that verifies the store ended with ${code}.`));
    });
  });
}

/** For the thread: every outcome as plain data. */
export async function lookOutcome(order: LookOrder): Promise<LookOutcome> {
  try {
    return { ok: true, look: await look(order) };
  } catch (error) {
    const { code, check, message } = isStoreError(error) ? error : unexpected(error);
    return { ok: false, code, check, message };
  }
}

export function unexpected(error: unknown): StoreError {
  const reason = systemCode(error) ?? String(error);
  return new StoreError('FILE_UNREADABLE', `The store cannot be read (${reason}).`, { cause: error });
}

function checkOption(check: StoreCheck | undefined): { readonly check?: StoreCheck } {
  return check === undefined ? {} : { check };
}
