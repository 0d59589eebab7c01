/**
 * The deployment manifest and the history beside it as the files that get signed. What is accepted here is exactly what
 * readers accept.
 */
import type { Action, HistoryEvent, StateChange } from '../manifest/change.ts';
import {
  type DeploymentManifest,
  deploymentManifestJson,
  manifestBytesMax,
  parseDeploymentManifest,
  segmentsMax,
} from '../manifest/deployment-manifest.ts';
import {
  type HistorySegment,
  eventsPerSegmentMax,
  parseSegment,
  segmentBytesFull,
  segmentBytesMax,
  segmentJson,
  segmentPath,
} from '../manifest/history-segment.ts';
import type { Parsed } from '../manifest/field-reader.ts';
import { deploymentManifestPath } from '../manifest/names.ts';
import type { Stage } from '../manifest/stage.ts';
import { StoreError } from '../store-error.ts';
import type { LoadedStore } from '../storage/load-store.ts';
import { requireInPlace } from '../storage/needed-files.ts';
import { readSegment } from '../storage/read-history-segments.ts';
import { sha256Of } from '../trust/artifact-digest.ts';
import { canonicalJson } from '../trust/canonical-json.ts';
import { entryStageOf } from './find-version.ts';
import type { ChangeOptions } from './publisher-options.ts';
import type { NewFile } from './store-change.ts';
import type { StoreEditor } from './store-editor.ts';

/** The manifest and the history of a store that is being made. */
export function firstManifestFiles(event: HistoryEvent): readonly NewFile[] {
  const { revision, at, by, why } = event;
  const history = { events: 1, segments: 1 };
  const manifest = { revision, changed: { at, by, why }, deployments: new Map(), stages: new Map(), history };
  return [manifestFile(manifest), segmentFile({ number: 1, events: [event] })];
}

/** The files that put these changes in force and into the history, as the next revision. */
export async function recordChange(
  editor: StoreEditor,
  change: {
    readonly action: Action;
    readonly changes: readonly StateChange[];
    readonly options: ChangeOptions;
  },
): Promise<readonly NewFile[]> {
  const { snapshot } = editor.current;
  const event = eventOf(editor, change);
  const { revision, at, by, why } = event;
  const after = applyChanges(editor.current, change.changes);
  // Nodes refuse a state without its files; who puts something live is told before it is signed, not after.
  if (change.changes.some((one) => one.kind === 'deployment' && one.after !== null)) {
    await requireInPlace(editor.source, { models: snapshot.models, deployments: after.deployments });
  }
  const segment = await nextSegment(editor, event);
  const { events } = snapshot.manifest.history;
  const manifest: DeploymentManifest = {
    ...after,
    revision,
    changed: { at, by, why },
    history: { events: events + 1, segments: segment.number },
  };
  return [manifestFile(manifest), segmentFile(segment)];
}

export function eventOf(
  editor: StoreEditor,
  change: {
    readonly action: Action;
    readonly changes: readonly StateChange[];
    readonly options: ChangeOptions;
  },
): HistoryEvent {
  return {
    revision: editor.current.snapshot.revision + 1,
    at: timeOfChange(editor),
    by: change.options.actor,
    why: change.options.why ?? '',
    action: change.action,
    changes: change.changes,
  };
}

/** When a change is made, for the history: clocks differ and go back, a history does not. */
export function timeOfChange({ nowMs, current }: StoreEditor): string {
  return new Date(Math.max(nowMs, Date.parse(current.snapshot.manifest.changed.at))).toISOString();
}

/** What is live, and where versions stand, after the changes. */
function applyChanges(
  current: LoadedStore,
  changes: readonly StateChange[],
): Pick<DeploymentManifest, 'deployments' | 'stages'> {
  const { manifest } = current.snapshot;
  const deployments = new Map(manifest.deployments);
  const stages = new Map([...manifest.stages].map(([model, table]) => [model, new Map(table)]));
  for (const change of changes) {
    if (change.kind === 'deployment') {
      if (change.after === null) deployments.delete(change.model);
      else deployments.set(change.model, change.after);
    } else if (change.kind === 'stage' && change.to !== null) {
      const { model, version, to } = change;
      const table = stages.get(model) ?? new Map<string, Stage>();
      // Only what differs from the stage it was published in is kept.
      if (entryStageOf(current, { model, version }) === to) table.delete(version);
      else table.set(version, to);
      if (table.size === 0) stages.delete(model);
      else stages.set(model, table);
    }
  }
  return { deployments, stages };
}

async function nextSegment(editor: StoreEditor, event: HistoryEvent): Promise<HistorySegment> {
  const { segments } = editor.current.snapshot.manifest.history;
  const open = await readSegment(editor.source, editor.current.metadata, segments);
  const isFull = open.segment.events.length >= eventsPerSegmentMax || open.sizeBytes >= segmentBytesFull;
  if (!isFull) return { number: segments, events: [...open.segment.events, event] };
  if (segments >= segmentsMax) throw new StoreError('INVALID_ARGUMENT', 'The history of this store is full.');
  return { number: segments + 1, events: [event] };
}

/** Throws INVALID_ARGUMENT when a name or reason in it cannot be signed. */
function manifestFile(manifest: DeploymentManifest): NewFile {
  const json = deploymentManifestJson(manifest);
  return signable(deploymentManifestPath, {
    json,
    parsed: parseDeploymentManifest(json),
    bytesMax: manifestBytesMax,
  });
}

function segmentFile(segment: HistorySegment): NewFile {
  const json = segmentJson(segment);
  const parsed = parseSegment(json, segment.number);
  return signable(segmentPath(segment.number), { json, parsed, bytesMax: segmentBytesMax });
}

function signable(
  path: string,
  file: { readonly json: unknown; readonly parsed: Parsed<unknown>; readonly bytesMax: number },
): NewFile {
  const { json, parsed, bytesMax } = file;
  if (!parsed.ok) throw new StoreError('INVALID_ARGUMENT', `This cannot be signed: ${parsed.message}.`);
  const bytes = canonicalJson(json);
  if (bytes === undefined) {
    throw new StoreError('INVALID_ARGUMENT', 'This cannot be signed: a text has half a character in it.');
  }
  if (bytes.byteLength > bytesMax) {
    throw new StoreError(
      'INVALID_ARGUMENT',
      `This cannot be signed: ${path} would be larger than ${bytesMax} bytes.`,
    );
  }
  const sizeBytes = bytes.byteLength;
  return { target: { path, sizeBytes, sha256: sha256Of(bytes), custom: undefined }, bytes };
}
