/**
 * Checks a whole store offline, more than a node asks for before it serves, and says what it proved: besides every
 * signature and every byte, that the history is complete and that what it tells leads to exactly what is live.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryEvent } from '../manifest/change.ts';
import { keyEventsMax } from '../manifest/key-events.ts';
import { diffStates, foldEvents } from '../manifest/store-state.ts';
import type { Stage } from '../manifest/stage.ts';
import type { StoreSnapshot } from '../manifest/store-snapshot.ts';
import { refusal } from '../store-error.ts';
import { recallState } from '../storage/accepted-state.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { loadAndAuditStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import type { ReaderOptions } from './publisher-options.ts';
import { readAllEvents } from './read-history.ts';

export interface VerifyProgress {
  readonly step: 'metadata' | 'files' | 'history';
  readonly done: number;
  /** Undefined while it is not known. */
  readonly total: number | undefined;
}

export interface VerifyOptions extends ReaderOptions {
  readonly progress?: (progress: VerifyProgress) => void;
}

export interface VerifiedRoleReport {
  readonly role: string;
  readonly version: number;
  /** `YYYY-MM-DDThh:mm:ssZ` */
  readonly expires: string;
  readonly threshold: number;
  readonly keyIds: readonly string[];
}

export interface VerifyReport {
  readonly revision: number;
  /** In the order of trust, root first. */
  readonly roles: readonly VerifiedRoleReport[];
  readonly models: number;
  readonly versions: number;
  readonly deployments: number;
  /** Files of the store that were read and checked, superseded ones included. */
  readonly files: number;
  readonly bytes: number;
  readonly events: number;
  /** One sentence for each thing that was proved. */
  readonly proved: readonly string[];
}

/** Codes: STORE_REFUSED with the check that failed, and those of opening a store. */
export async function verifyStore(options: VerifyOptions): Promise<VerifyReport> {
  const { nowMs, progress = () => undefined } = options;
  const source = new CountingSource(options.folder, progress);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const accepted = await recallState(options.stateFolder, pinnedRoot);
  progress({ step: 'metadata', done: 0, total: undefined });
  const current = await loadAndAuditStore({ source, pinnedRoot, accepted, nowMs });
  const listing = await source.list();
  let bytes = 0;
  for (const path of listing) bytes += (await stat(join(options.folder, path))).size;

  progress({ step: 'history', done: 0, total: current.snapshot.revision });
  const events = await readAllEvents(source, current);
  checkRevisions(events, current.snapshot.revision);
  checkFold(events, current.snapshot);
  progress({ step: 'history', done: current.snapshot.revision, total: current.snapshot.revision });

  const { metadata, snapshot } = current;
  const roles = [...metadata.roles].map(([role, { version, expires, keys }]) => {
    return { role, version, expires, threshold: keys.threshold, keyIds: [...keys.keys.keys()].sort() };
  });
  const counts = {
    models: snapshot.models.size,
    versions: [...snapshot.models.values()].reduce((total, versions) => total + versions.size, 0),
    deployments: snapshot.deployments.size,
    files: listing.length,
    bytes,
    events: events.length,
  };
  const { revision } = snapshot;
  return { revision, roles, ...counts, proved: sentences({ ...counts, revision, roles: roles.length }) };
}

/** A folder that tells how far the reading has come. */
class CountingSource extends FolderSource {
  readonly #progress: (progress: VerifyProgress) => void;
  #total: number | undefined;
  #done = 0;

  constructor(folder: string, progress: (progress: VerifyProgress) => void) {
    super(folder);
    this.#progress = progress;
  }

  override async list(): Promise<readonly string[]> {
    const listing = await super.list();
    this.#total ??= listing.filter((path) => path.startsWith('targets/')).length;
    return listing;
  }

  override async *stream(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    yield* super.stream(path);
    this.#done += 1;
    this.#progress({ step: 'files', done: this.#done, total: this.#total });
  }
}

/** Nothing is missing and nothing was slipped in: the revisions are 1 to N, each once. */
function checkRevisions(events: readonly HistoryEvent[], newest: number): void {
  const first = events[0];
  if (first?.revision !== 1 || first.action !== 'init') {
    throw refusal('deployment-manifest', 'the history does not begin with the making of the store.');
  }
  let expected = 1;
  for (const { revision, action } of events) {
    if (revision === expected) expected += 1;
    // Changes of keys that are older than those the metadata has room for.
    else if (revision > expected && hasForgottenKeys(events)) expected = revision + 1;
    else {
      const what = revision < expected ? `has revision ${revision} twice` : `has no revision ${expected}`;
      throw refusal('deployment-manifest', `the history ${what}, at the action ${action}.`);
    }
  }
  if (expected - 1 !== newest) {
    throw refusal('deployment-manifest', `the history ends at ${expected - 1} and the store at ${newest}.`);
  }
}

function hasForgottenKeys(events: readonly HistoryEvent[]): boolean {
  return events.filter(({ action }) => action === 'keys').length >= keyEventsMax;
}

/** What the history tells, change by change, is what is live. */
function checkFold(events: readonly HistoryEvent[], snapshot: StoreSnapshot): void {
  const stages = new Map<string, ReadonlyMap<string, Stage>>();
  for (const [model, versions] of snapshot.models) {
    stages.set(model, new Map([...versions].map(([version, { stage }]) => [version, stage])));
  }
  const { revision, deployments } = snapshot;
  const [difference] = diffStates(foldEvents(events), { revision, deployments, stages });
  if (difference === undefined) return;
  const what = difference.kind === 'keys' ? 'keys' : difference.model;
  throw refusal(
    'deployment-manifest',
    `the history does not lead to what is in force: they differ in the ${difference.kind} of ${what}.`,
  );
}

function sentences(counts: {
  readonly revision: number;
  readonly roles: number;
  readonly models: number;
  readonly versions: number;
  readonly deployments: number;
  readonly files: number;
  readonly bytes: number;
}): readonly string[] {
  const { revision, roles, models, versions, deployments, files, bytes } = counts;
  return [
    'Root: every root from the first on is signed by the one before and by itself, and the pinned one is among them.',
    `Roles: the files of all ${roles} roles are signed by as many of their keys as each asks for, are fresh, and belong together.`,
    'Rollback: no role is behind what was accepted here before.',
    `Files: all ${files} files (${bytes} bytes) are in the store because a signature lists them, and have the bytes that were signed.`,
    `Versions: ${versions} of ${models} models, each with facts that hold together.`,
    `Deployments: ${deployments}, each of a version that is there, may be live and has the bytes the operator chose.`,
    `History: revisions 1 to ${revision}, each exactly once, lead to what is in force.`,
    'Reference: tuf-js comes to the same verdict on the same bytes.',
  ];
}
