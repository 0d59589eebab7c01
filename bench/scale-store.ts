/**
 * A store of any size in seconds: the lifecycle's own functions sign it, but thousands of publishes go into one change,
 * where a team would make them one by one over years. Every artifact is the same small model under another name.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeStore } from '../registry-store/lifecycle/change-store.ts';
import type { NewFile } from '../registry-store/lifecycle/store-change.ts';
import { initStore } from '../registry-store/main.ts';
import type { HistoryEvent } from '../registry-store/manifest/change.ts';
import type { Deployment } from '../registry-store/manifest/deployment.ts';
import { deploymentManifestJson } from '../registry-store/manifest/deployment-manifest.ts';
import { eventsPerSegmentMax, segmentJson, segmentPath } from '../registry-store/manifest/history-segment.ts';
import { deploymentManifestPath, modelTargetPath } from '../registry-store/manifest/names.ts';
import { type VersionFacts, versionMetadataJson } from '../registry-store/manifest/version-metadata.ts';
import { describeOnnxModel } from '../registry-store/onnx/describe-model.ts';
import { sha256Of } from '../registry-store/trust/artifact-digest.ts';
import { canonicalJson } from '../registry-store/trust/canonical-json.ts';

export interface ScaleOptions {
  /** Gets `store` and `keys`. */
  readonly base: string;
  readonly models: number;
  /** Revisions of the store: the first one, one for each deployment, and publishes for the rest. */
  readonly revisions: number;
  /** A small ONNX file. */
  readonly modelFile: string;
  readonly nowMs: number;
}

const by = { by: 'bench', why: 'a store to measure' };

export function scaleModel(index: number): string {
  return `model-${String(index).padStart(4, '0')}`;
}

export async function makeScaleStore(options: ScaleOptions): Promise<void> {
  const { base, models, revisions, nowMs } = options;
  const [folder, keysFolder] = [join(base, 'store'), join(base, 'keys')];
  const publisher = { folder, keysFolders: [keysFolder], nowMs };
  await initStore({ ...publisher, actor: 'bench' });
  const artifact = new Uint8Array(await readFile(options.modelFile));
  const versions = revisions - 1 - models;
  const published = publishes({ artifact, models, versions, nowMs });
  // The first version of each model makes the role of the model, the second change fills it.
  await changeStore(publisher, () => ({ put: published.slice(0, models) }));
  await changeStore(publisher, () => ({ put: published.slice(models) }));
  await changeStore(publisher, ({ snapshot }) => {
    const first: HistoryEvent = { ...event(1, nowMs), action: 'init', changes: [] };
    const live = Array.from({ length: models }, (_, index): Deployment => {
      const [latest] = [...(snapshot.models.get(scaleModel(index))?.values() ?? [])].slice(-1);
      if (latest === undefined) throw new Error('a model has no version');
      const {
        name: model,
        version,
        artifact: { sha256 },
      } = latest;
      return { model, version, sha256, strategy: 'all' };
    });
    const events = live.map((after, index): HistoryEvent => {
      const change = { kind: 'deployment', model: after.model, before: null, after } as const;
      return { ...event(versions + 2 + index, nowMs), action: 'deploy', changes: [change] };
    });
    return { put: manifestFiles([first, ...events], { live, nowMs }) };
  });
}

function publishes(facts: {
  readonly artifact: Uint8Array;
  readonly models: number;
  readonly versions: number;
  readonly nowMs: number;
}): readonly NewFile[] {
  const { artifact, models, versions, nowMs } = facts;
  const onnx = describeOnnxModel(artifact);
  if (!onnx.ok) throw new Error(onnx.message);
  const sha256 = sha256Of(artifact);
  return Array.from({ length: versions }, (_, index) => {
    const [name, version] = [scaleModel(index % models), `${Math.floor(index / models) + 1}.0.0`];
    const about: VersionFacts = {
      ...{ name, version, framework: 'onnx', author: 'bench', description: 'One of many.' },
      createdAt: new Date(nowMs).toISOString(),
      metrics: new Map([['accuracy', 0.97]]),
      tags: ['bench'],
      stage: 'staged',
      published: { revision: index + 2, ...by },
      state: [],
      signature: onnx.value.signature,
      onnx: {
        irVersion: onnx.value.irVersion,
        opsets: new Map(Object.entries(onnx.value.opsets)),
        parameterCount: onnx.value.parameterCount,
        producer: onnx.value.producer,
      },
    };
    const path = modelTargetPath({ model: name, version });
    const custom = versionMetadataJson(about);
    return { target: { path, sizeBytes: artifact.byteLength, sha256, custom }, bytes: artifact };
  });
}

function manifestFiles(
  events: readonly HistoryEvent[],
  state: { readonly live: readonly Deployment[]; readonly nowMs: number },
): readonly NewFile[] {
  const files: NewFile[] = [];
  for (let at = 0; at < events.length; at += eventsPerSegmentMax) {
    const number = at / eventsPerSegmentMax + 1;
    const segment = { number, events: events.slice(at, at + eventsPerSegmentMax) };
    files.push(file(segmentPath(number), segmentJson(segment)));
  }
  const last = events.at(-1);
  const manifest = deploymentManifestJson({
    revision: last?.revision ?? 1,
    changed: { at: new Date(state.nowMs).toISOString(), ...by },
    deployments: new Map(state.live.map((deployment) => [deployment.model, deployment])),
    stages: new Map(),
    history: { events: events.length, segments: files.length },
  });
  return [...files, file(deploymentManifestPath, manifest)];
}

function event(revision: number, nowMs: number): Pick<HistoryEvent, 'revision' | 'at' | 'by' | 'why'> {
  return { revision, at: new Date(nowMs).toISOString(), ...by };
}

function file(path: string, json: unknown): NewFile {
  const bytes = canonicalJson(json);
  if (bytes === undefined) throw new Error(`${path} has no canonical form`);
  return { target: { path, sizeBytes: bytes.byteLength, sha256: sha256Of(bytes), custom: undefined }, bytes };
}
