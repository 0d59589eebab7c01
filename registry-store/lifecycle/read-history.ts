/** The history of a store, verified: what happened, the whole state of any revision, and what lies between two. */
import type { HistoryEvent, StateChange } from '../manifest/change.ts';
import { type StoreState, diffStates, foldEvents } from '../manifest/store-state.ts';
import { parseVersionMetadata } from '../manifest/version-metadata.ts';
import { StoreError, refusal } from '../store-error.ts';
import { recallState } from '../storage/accepted-state.ts';
import { FolderSource } from '../storage/folder-source.ts';
import { type LoadedStore, loadStore, readPinnedRoot, requireStore } from '../storage/load-store.ts';
import { readSegment } from '../storage/read-history-segments.ts';
import { readKeyEvents } from '../storage/read-key-events.ts';
import type { StoreSource } from '../storage/store-source.ts';
import type { ReaderOptions } from './publisher-options.ts';

export interface HistoryOptions extends ReaderOptions {
  /** Only what concerns this model; default everything. */
  readonly model?: string;
  /** Default the beginning, or as far back as `limit` reaches. */
  readonly fromRevision?: number;
  /** How many events at most: the first from `fromRevision` on, or without that the newest. Default all. */
  readonly limit?: number;
}

/** Oldest first. Codes: those of opening a store. */
export async function readHistory(options: HistoryOptions): Promise<readonly HistoryEvent[]> {
  const { model, fromRevision, limit } = options;
  const { source, current } = await openForReading(options);
  const events = (await readAllEvents(source, current)).filter(
    (event) => event.revision >= (fromRevision ?? 1) && (model === undefined || concerns(event, model)),
  );
  if (limit === undefined) return events;
  return fromRevision === undefined
    ? events.slice(Math.max(0, events.length - limit))
    : events.slice(0, limit);
}

/** Codes: UNKNOWN_REVISION. */
export async function stateAt(options: ReaderOptions & { readonly revision: number }): Promise<StoreState> {
  const { source, current } = await openForReading(options);
  return stateOf(await readAllEvents(source, current), { revision: options.revision, current });
}

/** What has to change to get from one revision to the other, whichever is older. Codes: UNKNOWN_REVISION. */
export async function diffRevisions(
  options: ReaderOptions & { readonly from: number; readonly to: number },
): Promise<readonly StateChange[]> {
  const { source, current } = await openForReading(options);
  const events = await readAllEvents(source, current);
  const [from, to] = [options.from, options.to].map((revision) => stateOf(events, { revision, current }));
  return from === undefined || to === undefined ? [] : diffStates(from, to);
}

/** Every event there is, of versions, deployments, stages and keys, in order of revision. */
export async function readAllEvents(
  source: StoreSource,
  current: LoadedStore,
): Promise<readonly HistoryEvent[]> {
  const { metadata, snapshot } = current;
  const events = [...publishEvents(current), ...readKeyEvents(metadata)];
  let recorded = 0;
  for (let number = 1; number <= snapshot.manifest.history.segments; number++) {
    const { segment } = await readSegment(source, metadata, number);
    recorded += segment.events.length;
    events.push(...segment.events);
  }
  if (recorded !== snapshot.manifest.history.events) {
    throw refusal(
      'deployment-manifest',
      `the history has ${recorded} events and not the ${snapshot.manifest.history.events} it should have.`,
    );
  }
  return events.sort((left, right) => left.revision - right.revision);
}

/** Codes: UNKNOWN_REVISION. */
export function stateOf(
  events: readonly HistoryEvent[],
  at: { readonly revision: number; readonly current: LoadedStore },
): StoreState {
  const { revision } = at;
  const newest = at.current.snapshot.revision;
  if (!Number.isInteger(revision) || revision < 1 || revision > newest) {
    throw new StoreError(
      'UNKNOWN_REVISION',
      `The store has no revision ${revision}; it has 1 to ${newest}. See them with: tidegate history`,
    );
  }
  return { ...foldEvents(events.filter((event) => event.revision <= revision)), revision };
}

/** A publish is told by the version it brought; it needs no key for the history. */
function publishEvents({ metadata }: LoadedStore): readonly HistoryEvent[] {
  const events: HistoryEvent[] = [];
  for (const [path, { sizeBytes, sha256, custom }] of metadata.targets) {
    if (!path.startsWith('models/')) continue;
    const parsed = parseVersionMetadata({ path, lengthBytes: sizeBytes, sha256 }, custom);
    if (!parsed.ok) throw refusal('version-metadata', `${parsed.message}.`);
    const { name: model, version, stage, createdAt, published } = parsed.value;
    const change = { kind: 'stage', model, version, from: null, to: stage } as const;
    const { revision, by, why } = published;
    events.push({ revision, at: createdAt, by, why, action: 'publish', changes: [change] });
  }
  return events;
}

async function openForReading(
  options: ReaderOptions,
): Promise<{ readonly source: FolderSource; readonly current: LoadedStore }> {
  const { nowMs } = options;
  const source = new FolderSource(options.folder);
  await requireStore(source);
  const pinnedRoot = await readPinnedRoot(options.pinnedRootPath);
  const accepted = await recallState(options.stateFolder, pinnedRoot);
  return { source, current: await loadStore({ source, pinnedRoot, accepted, nowMs }) };
}

function concerns(event: HistoryEvent, model: string): boolean {
  return event.changes.some((change) => change.kind !== 'keys' && change.model === model);
}
