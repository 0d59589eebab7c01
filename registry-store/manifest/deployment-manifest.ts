/**
 * The deployment manifest: which version of each model is live, where versions stand in their life, who decided the last
 * change, when and why, and how long the history beside it is.
 * It does not say how a version is loaded or when a replica is ready; that is the gateway's own business.
 */
import { type Deployment, deploymentJson, readDeployment, sha256Rule } from './deployment.ts';
import { FieldReader, type Parsed } from './field-reader.ts';
import { checkModelName, modelNameRule, versionNameRule } from './names.ts';
import { type Stage, stages } from './stage.ts';
import { descriptionRule, labelRule, timeRule } from './version-metadata.ts';

export { type Deployment, sha256Rule };

/** Model name, then version. */
export type StageTable = ReadonlyMap<string, ReadonlyMap<string, Stage>>;

export interface DeploymentManifest {
  /** Revision of the store that this manifest came with. Publishing does not touch the manifest, so it may lag behind. */
  readonly revision: number;
  readonly changed: { readonly at: string; readonly by: string; readonly why: string };
  readonly deployments: ReadonlyMap<string, Deployment>;
  /** Versions whose stage is not the one they were published in. */
  readonly stages: StageTable;
  /** How many events the history has, and in how many segments. */
  readonly history: { readonly events: number; readonly segments: number };
}

const manifestSchema = 2;
const deploymentsMax = 10_000;
const stagedModelsMax = 20_000;
const stagedVersionsMax = 100_000;
export const manifestBytesMax: number = 4 * 1024 * 1024;
/** Segments are numbered with six digits. */
export const segmentsMax = 999_999;

export function parseDeploymentManifest(json: unknown): Parsed<DeploymentManifest> {
  const reader = new FieldReader(json, 'the deployment manifest');
  const schema = reader.integer('schema', { min: 1, max: Number.MAX_SAFE_INTEGER });
  // A field this release does not know could mean "send nothing there": a newer schema is refused, never guessed.
  if (schema !== manifestSchema) reader.reject(`has schema ${schema}; this release reads ${manifestSchema}`);
  const changed = reader.record('changed');
  const history = reader.record('history');
  return reader.finish({
    revision: reader.integer('revision', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    changed: {
      at: changed.text('at', timeRule),
      by: changed.text('by', labelRule),
      why: changed.text('why', descriptionRule),
    },
    deployments: readDeployments(reader.record('deployments')),
    stages: readStages(reader.record('stages')),
    history: {
      events: history.integer('events', { min: 1, max: Number.MAX_SAFE_INTEGER }),
      segments: history.integer('segments', { min: 1, max: segmentsMax }),
    },
  });
}

/** The JSON value of a manifest; `parseDeploymentManifest` of it gives the same manifest back. */
export function deploymentManifestJson(manifest: DeploymentManifest): Readonly<Record<string, unknown>> {
  const { at, by, why } = manifest.changed;
  const rows = [...manifest.deployments.values()].map((row) => [row.model, deploymentJson(row)] as const);
  const moved = [...manifest.stages].map(([model, table]) => [model, Object.fromEntries(table)] as const);
  return {
    schema: manifestSchema,
    revision: manifest.revision,
    changed: { at, by, why },
    deployments: Object.fromEntries(rows),
    stages: Object.fromEntries(moved),
    history: { events: manifest.history.events, segments: manifest.history.segments },
  };
}

function readDeployments(table: FieldReader): ReadonlyMap<string, Deployment> {
  const deployments = new Map<string, Deployment>();
  for (const [model, value] of table.entries({ countMax: deploymentsMax, key: modelNameRule })) {
    const name = checkModelName(model);
    if (!name.ok) table.reject(`: ${name.message}`);
    deployments.set(model, readDeployment(model, table.nest(value, `the deployment of ${model}`)));
  }
  return deployments;
}

function readStages(table: FieldReader): StageTable {
  const found = new Map<string, ReadonlyMap<string, Stage>>();
  for (const [model, value] of table.entries({ countMax: stagedModelsMax, key: modelNameRule })) {
    const row = table.nest(value, `the stages of ${model}`);
    const versions = row.entries({ countMax: stagedVersionsMax, key: versionNameRule });
    if (versions.length === 0) row.reject('is empty');
    found.set(model, new Map(versions.map(([version]) => [version, row.oneOf(version, stages)])));
  }
  return found;
}
